"""Slurm: what the first lines of a batch script ask for (``#SBATCH``), which the shell itself takes as comments.

Options and variables: slurm.schedmd.com/sbatch.html (``--gpus-per-node``, ``--gres``, ``--gpus``, ``--nodes``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"#SBATCH\s+(.*)", re.ASCII)
_OPTION = re.compile(r"(?:--([a-z-]+)|-([GN]))(?:\s*=\s*|\s+|(?<=[GN]))(?!-)(\S+)", re.ASCII)
_GPUS = re.compile(r"(?:([A-Za-z][\w.-]*):)?(\d{1,5})", re.ASCII)
_GRES = re.compile(r"gpu(?::[A-Za-z][\w.-]*)?(?::\d{1,5})?", re.ASCII)
_SHORT = {"G": "gpus", "N": "nodes"}


@dataclass(slots=True)
class Job:
    """What a batch script asks for.

    Attributes
    ----------
    option : str
        The flag that asks for GPUs, as it is written; empty where none does.
    line : int or None
        Where it stands.
    kind : str
        The kind of GPU as the cluster calls it, empty where it is not said.
    gpus : int
        GPUs of a node, 0 where they are not said.
    nodes : int
    """

    option: str = ""
    line: int | None = None
    kind: str = ""
    gpus: int = 0
    nodes: int = 1

    def variables(self) -> dict[str, str]:
        """The variables that Slurm sets from it."""
        found = {"SLURM_NNODES": str(self.nodes), "SLURM_JOB_NUM_NODES": str(self.nodes)}
        if self.gpus:
            found |= dict.fromkeys(("SLURM_GPUS_ON_NODE", "SLURM_GPUS_PER_NODE"), str(self.gpus))
            found["SLURM_GPUS"] = str(self.gpus * self.nodes)
        return found


def read(text: str) -> Job | None:
    """What a script asks for; None of what is no batch script. Lines behind the first command are comments."""
    job, given = Job(), False
    total = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            break
        match = _LINE.match(line)
        for option in _OPTION.finditer(match[1].partition(" #")[0] if match else ""):
            given = True
            name, value = option[1] or _SHORT[option[2]], option[3]
            if name == "nodes":
                least = value.partition("-")[0]
                job.nodes = int(least) if least.isdigit() and 0 < int(least[:6]) < 10**5 else job.nodes
            elif (asked := _asked(name, value)) is not None:
                job.option, job.line, job.kind = f"--{name}", number, asked[0]
                total, job.gpus = (asked[1], 0) if name == "gpus" else (0, asked[1])
    if total and total % job.nodes == 0:
        job.gpus = total // job.nodes
    return job if given else None


def _asked(name: str, value: str) -> tuple[str, int] | None:
    """The kind and number of GPUs that an option asks for."""
    if name == "gres":
        asked = next((one for one in value.split(",") if _GRES.fullmatch(one)), None)
        if asked is None:
            return None
        value = asked.partition(":")[2] or "1"
        value = value if value[-1].isdigit() and _GPUS.fullmatch(value) else f"{value}:1"
    elif name not in ("gpus", "gpus-per-node"):
        return None
    match = _GPUS.fullmatch(value)
    return (match[1] or "", int(match[2])) if match and int(match[2]) else None
