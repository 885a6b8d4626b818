"""Measuring the machine at hand: a hardware file of it, and its kernels as the tables that calibration reads."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from llmperf.errors import InputError, Problem
from llmperf.evidence.bench import gpu, host, report
from llmperf.evidence.bench.cpu import Cpu
from llmperf.evidence.bench.figures import Figure, best_of
from llmperf.evidence.bench.loop import Outcome, Progress, measure
from llmperf.evidence.bench.plan import PARTS, Device, Facts, Trial, chosen
from llmperf.evidence.bench.timing import Timing

Choice = Literal["auto", "cpu", "gpu"]
LEAST_SECONDS, MOST_SECONDS = 1.0, 86_400.0
MOST_MEMORY = 0.9
MOST_SPREAD = 0.1
"""Interquartile range of repeats, relative to their median, that raises doubts. [1]"""


@dataclass(slots=True)
class Measurement:
    """A measurement: what was measured, what it says, and the files that hold it."""

    name: str
    facts: Facts
    outcome: Outcome
    figures: list[Figure]
    files: list[Path]
    notes: list[str]

    @property
    def hardware(self) -> Path | None:
        """The hardware file, where one was written."""
        return next((path for path in self.files if path.name == report.HARDWARE), None)

    def parts(self) -> list[dict[str, Any]]:
        """By part: cases measured and skipped, and how far repeats spread in the middle (interquartile / median)."""
        out = []
        for part in PARTS:
            spreads = [timing.spread for case, timing in self.outcome.measured if case.part == part]
            skipped = sum(case.part == part for case, _ in self.outcome.skipped)
            if spreads or skipped:
                spread = float(np.median(spreads)) if spreads else None
                out.append({"part": part, "measured": len(spreads), "skipped": skipped, "spread": spread})
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data: SI units, None where there is no value."""
        return {
            "schema_version": 1,
            "name": self.name,
            "device": _device(self.facts),
            "seconds": self.outcome.seconds,
            "figures": [figure.to_dict() for figure in self.figures],
            "parts": self.parts(),
            "skipped": [{"case": str(case), "why": why} for case, why in self.outcome.skipped],
            "files": [str(path) for path in self.files],
            "hardware": None if self.hardware is None else str(self.hardware),
            "notes": self.notes,
        }


def _device(facts: Facts) -> dict[str, Any]:
    data = asdict(facts)
    return {**data, "capacity_bytes": data.pop("capacity"), "cache_bytes": data.pop("cache")}


@dataclass(slots=True)
class Intended:
    """What would be measured."""

    facts: Facts
    cases: list[Trial]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        parts = [
            {"part": name, "about": part.about, "cases": [_case(case) for case in self.cases if case.part == name]}
            for name, part in PARTS.items()
        ]
        return {"schema_version": 1, "device": _device(self.facts), "parts": parts, "notes": self.notes}


def _case(case: Trial) -> dict[str, Any]:
    return {"table": case.table, "row": case.row, "flop": case.flops, "bytes": case.bytes}


def plan(device: Choice = "auto", seconds: float = 120.0, memory: float = 0.25, only: Sequence[str] = ()) -> Intended:
    """What `bench` would measure with the same arguments; measures nothing."""
    _check(seconds, memory)
    opened = _open(device, memory, seconds)
    try:
        return Intended(opened.facts, chosen(opened.cases(), only), opened.notes)
    finally:
        opened.close()


def bench(
    output: Path | None = None,
    name: str | None = None,
    *,
    device: Choice = "auto",
    seconds: float = 120.0,
    memory: float = 0.25,
    only: Sequence[str] = (),
    force: bool = False,
    progress: Progress | None = None,
) -> Measurement:
    """Measure this machine, and write a directory with its hardware file and its kernels.

    Parameters
    ----------
    output : Path, optional
        The directory; by default the name.
    name : str, optional
        Name of the hardware; by default that of the host.
    device : str
        ``cpu``, ``gpu`` (CUDA or ROCm through PyTorch), or ``auto``: the GPU where there is one.
    seconds : float
        Time for all of it. [s]
    memory : float
        Share of the device's free memory that may be used. [1]
    only : sequence of str
        Parts to measure (`llmperf.evidence.bench.plan.PARTS`); all where none is named.
    force : bool
        Whether a directory of an earlier measurement may be replaced.
    progress : callable, optional
        Told of each case.

    Raises
    ------
    InputError
        If an argument is wrong, the directory exists, or there is nothing to measure.
    """
    _check(seconds, memory, name)
    name = name or host.name()
    output = Path(name) if output is None else output
    report.refuse(output, force)
    opened = _open(device, memory, seconds)
    try:
        outcome = measure(chosen(opened.cases(), only), seconds, progress, prepare=opened.prepare)
    finally:
        opened.close()
    if not outcome.measured:
        why = "; ".join(dict.fromkeys(why for _, why in outcome.skipped))[:300]
        raise InputError(Problem(f"nothing could be measured: {why}", "--seconds"))
    found, notes = best_of(outcome), [*opened.notes, *_doubts(outcome)]
    texts = report.tables(outcome, name, opened.facts)
    described = report.document(name, opened.facts, found)
    if isinstance(described, str):
        notes.append(described)
    else:
        texts[report.HARDWARE] = yaml.safe_dump(described, sort_keys=False, width=110, allow_unicode=True)
    return Measurement(name, opened.facts, outcome, found, report.write(output, texts, force), notes)


def _doubts(outcome: Outcome) -> list[str]:
    """What makes the numbers doubtful."""
    spread = float(np.median([timing.spread for _, timing in outcome.measured]))
    if spread <= MOST_SPREAD:
        return []
    return [f"Repeats spread by {spread:.0%} in the median: something else seems to use this machine."]


def _check(seconds: float, memory: float, name: str | None = None) -> None:
    problems = []
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        text = f"{seconds:g} is not between {LEAST_SECONDS:g} and {MOST_SECONDS:g} seconds"
        problems.append(Problem(text, "--seconds"))
    if not 0.0 < memory <= MOST_MEMORY:
        text = f"{memory:g} is no share of the free memory, more than 0 and at most {MOST_MEMORY:g}"
        problems.append(Problem(text, "--memory"))
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        text = f"{name[:60]!r} is no name: letters, digits, dots, dashes and underscores, 64 at most"
        problems.append(Problem(text, "--name"))
    if problems:
        raise InputError(problems)


def _open(device: Choice, memory: float, seconds: float) -> Device:
    """The device to measure.

    Raises
    ------
    InputError
        If a GPU is asked for and PyTorch does not see one.
    """
    torch, remark = gpu.found() if device != "cpu" else (None, "")
    if torch is not None:
        return gpu.Gpu(torch, memory)
    if not remark and device != "cpu" and not gpu.installed() and any(map(shutil.which, ("nvidia-smi", "rocm-smi"))):
        remark = "There is a GPU driver here; its devices are measured once PyTorch is installed (pip install torch)."
    if device == "gpu":
        text = remark or "there is no GPU that PyTorch sees"
        raise InputError(Problem(text, "--device", suggestion="pip install torch, in its CUDA or ROCm build"))
    cpu = Cpu(memory, seconds)
    if remark:
        cpu.notes.append(remark)
    return cpu


__all__ = ["Choice", "Figure", "Measurement", "Intended", "Timing", "bench", "plan"]
