"""What a measurement leaves behind: a directory with rows as CSV and a hardware file, written whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import os
import shutil
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem
from llmperf.evidence.bench.figures import Figure
from llmperf.evidence.bench.loop import Outcome
from llmperf.evidence.bench.plan import TABLES, Facts
from llmperf.units import scaled

HARDWARE = "hardware.yaml"
WRITTEN = (HARDWARE, *(f"{table}.csv" for table in TABLES))
"""Files that a directory may hold to be replaced."""


def tables(outcome: Outcome, name: str, facts: Facts) -> dict[str, str]:
    """The measured rows as CSV texts by file name."""
    out = {}
    for table, columns in TABLES.items():
        rows = [(case, timing) for case, timing in outcome.measured if case.table == table]
        if not rows:
            continue
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for case, timing in rows:
            eager = "_eager" if table == "collectives" else ""  # launched by the host, not captured in a graph
            source = f"{facts.software}:llmperf-bench{eager}"
            cells = {**case.row, "device": name, "time_us": f"{timing.time * 1e6:.6g}", "source": source}
            writer.writerow([cells[column] for column in columns])
        out[f"{table}.csv"] = stream.getvalue()
    return out


FULL_ROWS = 64
"""Rows from which on a product can show what the engine reaches. [1]"""


def document(name: str, facts: Facts, found: list[Figure]) -> dict[str, Any] | str:
    """The hardware file as plain data, or what it lacks.

    A chip of the catalog is extended and keeps the numbers of its data sheet; any other is described by what was
    measured.
    """
    by_name = {figure.name: figure for figure in found}
    if facts.extends is not None:
        return {
            "name": name,
            "extends": facts.extends,
            "devices": facts.devices,
            "sources": {"devices": f"counted by {_who()}"},
            "notes": _note(facts, found, "Peaks and bandwidths are those of the catalog. Measured here:"),
        }
    peaks = {
        figure.name.removeprefix("gemm.").removesuffix("_flop_per_s"): figure
        for figure in found
        if figure.name.startswith("gemm.")
    }
    # few rows leave the units idle: a data type of which nothing else was measured has no peak, if another has one
    peaks = {dtype: figure for dtype, figure in peaks.items() if int(figure.case.row["m"]) >= FULL_ROWS} or peaks
    memory = by_name.get("memory.main_bytes_per_s")
    if not peaks or memory is None:
        lacks = [what for what, there in (("gemm", peaks), ("stream", memory)) if not there]
        return f"no hardware file: it needs what --only {','.join(lacks)} measures"
    return {
        "name": name,
        "kind": facts.kind,
        "vendor": facts.vendor,
        "engines": _engines(peaks),
        "tiers": _tiers(facts, memory),
        **_links(facts, by_name),
        "devices": facts.devices,
        "cores": facts.cores,
        "achieved": facts.achieved,
        "sources": _sources(facts, peaks, memory, by_name),
        "notes": _note(
            facts,
            found,
            "Peaks and bandwidths are the best that was measured, so at most the true ones; a bound drawn from them is "
            "that of this software, and faster software may beat it.",
        ),
    }


def _who() -> str:
    return f"llmperf bench, {datetime.date.today().isoformat()}"


def _note(facts: Facts, found: list[Figure], text: str) -> str:
    shown = [f"{figure.label} {scaled(figure.value, figure.dimension, 3)}" for figure in found]
    note = f"{facts.label}, {facts.software}. {text}"
    return (f"{note} {', '.join(shown)}." if facts.extends else note)[:900]


def _engines(peaks: dict[str, Figure]) -> dict[str, Any]:
    rates = {dtype: scaled(figure.value, "compute") for dtype, figure in peaks.items()}
    engines: dict[str, Any] = {"matrix": {"kind": "matrix", "peaks": rates}}
    if "fp32" in rates:  # on both kinds of device, fp32 products run on the units that also do vector work
        engines["vector"] = {"kind": "vector", "peaks": {"fp32": rates["fp32"]}}
    return engines


def _tiers(facts: Facts, memory: Figure) -> dict[str, Any]:
    tiers: dict[str, Any] = {}
    if facts.cache:
        tiers["cache"] = {"kind": "cache", "capacity": f"{facts.cache / 2**20:.4g} MiB"}
    tiers[facts.tier] = {
        "kind": "main",
        "capacity": f"{facts.capacity / 2**30:.4g} GiB",
        "bandwidth": scaled(memory.value, "bandwidth"),
    }
    return tiers


LINKS = (
    ("host", "host", "copy.host_to_device_bytes_per_s"),
    ("peers", "scale_up", "all_reduce_bus_bytes_per_s"),
)
"""Links that figures give: name, kind, figure."""


def _links(facts: Facts, found: dict[str, Figure]) -> dict[str, Any]:
    links: dict[str, Any] = {}
    for name, kind, figure in LINKS:
        if figure in found:
            links[name] = {"kind": kind, "bandwidth": scaled(found[figure].value, "bandwidth")}
            if kind == "scale_up":
                links[name]["domain"] = facts.devices
    return {"links": links} if links else {}


def _sources(facts: Facts, peaks: dict[str, Figure], memory: Figure, found: dict[str, Figure]) -> dict[str, str]:
    who = f"measured by {_who()}"
    sources = {
        f"engines.matrix.peaks.{dtype}": f"{who}: best of {figure.of} products, {figure.case}"
        for dtype, figure in peaks.items()
    }
    sources["engines"] = f"{who}: best product of the data type"
    if "fp32" in peaks:
        sources["engines.vector"] = "the fp32 products of engines.matrix, which run on the vector units"
    sources[f"tiers.{facts.tier}.bandwidth"] = f"{who}: best of {memory.of} over operands in memory, {memory.case}"
    sources["tiers"] = "the operating system" if facts.kind == "cpu" else "the driver, by PyTorch"
    for name, _, figure in LINKS:
        if figure in found:
            sources[f"links.{name}"] = f"{who}: best of {found[figure].of}, {found[figure].case}"
    for key in ("devices", "cores"):
        sources[key] = sources["tiers"]
    return sources


def refuse(output: Path, force: bool) -> None:
    """Check that the directory may be written, before anything is measured.

    Raises
    ------
    InputError
        If it exists and `force` is not given, or it holds what a measurement does not write.
    """
    if not output.exists() and not output.is_symlink():
        return
    if output.is_symlink() or not output.is_dir():
        raise InputError(Problem("exists, and is no directory of its own", "--output", str(output)))
    if not force:
        raise InputError(Problem("exists already", "--output", str(output), suggestion="--force replaces it"))
    foreign = sorted(path.name for path in output.iterdir() if path.name not in WRITTEN)
    if foreign:
        text = f"holds what bench does not write ({', '.join(foreign[:3])}), and is not replaced"
        raise InputError(Problem(text, "--output", str(output)))


def write(output: Path, texts: dict[str, str], force: bool) -> list[Path]:
    """Write a directory of files at once: beside it first, then renamed.

    Raises
    ------
    InputError
        If it may not be replaced (see `refuse`), or cannot be written.
    """
    refuse(output, force)
    new, old = (output.with_name(f".{output.name}.{os.getpid()}.{what}") for what in ("part", "old"))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        for name, text in texts.items():
            (new / name).write_text(text, encoding="utf-8")
        if output.exists():
            output.rename(old)
        new.rename(output)
    except BaseException as error:
        if old.exists() and not output.exists():
            with contextlib.suppress(OSError):
                old.rename(output)
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OSError):
            text = f"cannot be written: {error.strerror or error}"
            raise InputError(Problem(text, "--output", str(output))) from None
        raise
    shutil.rmtree(old, ignore_errors=True)
    return [output / name for name in texts]
