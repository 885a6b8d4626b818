"""Calibration as a command: which data, which chips, which file, and what is to stand in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from llmperf.descriptors.hardware import Hardware
from llmperf.errors import InputError, Problem
from llmperf.evidence.calibrate import Calibration, calibrate, document, written
from llmperf.evidence.datasets import of_devices, read_kernels, shipped
from llmperf.evidence.fit import NoFitError
from llmperf.evidence.kernels.base import Readings, chip
from llmperf.evidence.kernels.formats import FORMATS
from llmperf.files.store import load_file
from llmperf.scenarios.components import component


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, and the file that is to hold it: where it is, and what stands in it."""

    name: str
    path: Path
    text: str
    calibration: Calibration
    omitted: list[tuple[str, str]]


def run(
    data: Sequence[Path],
    hardware: Sequence[str],
    *,
    output: Path | None = None,
    name: str | None = None,
    base: str | None = None,
    samples: int = 20,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Calibrated:
    """Calibrate one chip, or one class of chips.

    Parameters
    ----------
    data : sequence of Path
        Kernel files; none: those that ship with the package.
    hardware : sequence of str
        The chip: a name, or a file of one's own, whose block ``achieved:`` is replaced. Several: a class.
    output : Path, optional
        The file that is to hold the constants; by default the hardware file itself (with `force`), or ``NAME.yaml``.
    name, base : str, optional
        Name of the entry, and the class whose constants stand where nothing is fitted: by default what the chip's own
        file names, else ``gpu-datacenter``.
    samples, force, progress
        Bootstrap samples; whether a file may be replaced; called with the fits done and in all.

    Raises
    ------
    InputError
        If the data or names are wrong, the file exists, or nothing could be fitted.
    """
    file = Path(hardware[0]) if len(hardware) == 1 and Path(hardware[0]).suffix in (".yaml", ".yml") else None
    label = name or (chip(hardware[0]).name if len(hardware) == 1 else "")
    if not label:
        raise InputError(Problem("a class of several chips needs a name", "--name", suggestion="--name gpu-hopper"))
    path = output or (file if file else Path(f"{label}.yaml"))
    if path.exists() and not force:
        raise InputError(Problem("exists already", file=str(path), suggestion="--force replaces it"))
    known = {str(file): str(file), "*": str(file)} if file else None
    found = read_kernels(list(data) or shipped(FORMATS), known)
    chosen = found.kernels if file else of_devices(found, hardware)
    base = base or (_class_of(file) if file else USUAL)
    class_constants = component("achieved", base)
    result = calibrate(chosen, class_constants, implementations=len(hardware) == 1, samples=samples, progress=progress)
    try:
        content = document(result, label, base)
    except NoFitError as error:
        lines = "; ".join(f"{what}: {why}" for what, why in result.refused[:5])
        raise InputError(Problem(f"{error} ({lines})", "data")) from None
    if file:
        content |= _host(found, chip(str(file)))
    if len(hardware) > 1:
        content["basis"] = "class default"
    if not file and path.stem == label:
        del content["name"]  # a file's stem is its name
    return Calibrated(label, path, _with_block(file, content) if file else _text(content), result, found.omitted)


USUAL = "gpu-datacenter"
"""Class of a chip that the catalog names, where none is said."""


def _class_of(file: Path) -> str:
    """The class whose constants a hardware file names, or builds on."""
    named = load_file(str(file)).data.get("achieved")
    named = named.get("extends") if isinstance(named, dict) else named
    return named if isinstance(named, str) else USUAL


def _host(found: Readings, hardware: Hardware) -> dict[str, Any]:
    """What launches and copies say: the median launch, and the best copy over the link's rate."""
    out: dict[str, Any] = {}
    if found.launches:
        out["launch"] = written("latency", float(np.median(found.launches)))
    link = hardware.link("host")
    if found.copies and link is not None:
        out["transfer"] = {"bandwidth": min(float(f"{max(found.copies) / link.bandwidth:.3g}"), 1.0)}
    return out


def _text(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=400, allow_unicode=True))


def _with_block(file: Path, content: dict[str, Any]) -> str:
    """The hardware file with the constants in place of its ``achieved:``; the rest of it stays byte for byte."""
    text = file.read_bytes().decode("utf-8")
    block = _text({"achieved": content})
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # it was read as a hardware file
    for key, value in root.value:
        if key.value == "achieved":
            return text[: key.start_mark.index] + block.rstrip("\n") + text[_end(value) :]
    return text + ("" if text.endswith("\n") else "\n") + block


def _end(node: Any) -> int:
    """Where a value ends: that of a block is its last entry's, behind which comments and the next key stand."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)
