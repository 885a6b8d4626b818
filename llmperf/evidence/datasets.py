"""Measured data sets: what ships with the package, and which format a file has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from llmperf.errors import InputError, Problem, nearest
from llmperf.evidence import tables
from llmperf.evidence.kernels.base import Kernels, Readings, chip
from llmperf.evidence.kernels.formats import FORMATS
from llmperf.evidence.tables import DataTable
from llmperf.files.store import packaged


def shipped(names: Iterable[str] | None = None) -> list[Path]:
    """The measured data that ships with the package: one packed CSV file a format."""
    folder = packaged() / "workloads" / "published" / "data"
    found = sorted(folder.glob("*.csv.gz"))
    return [path for path in found if names is None or path.name.removesuffix(".csv.gz") in names]


def kernel_format(table: DataTable, name: str | None = None) -> str | None:
    """The kernel format of a table: the one named, else the first whose columns it has; None where it is another.

    Raises
    ------
    InputError
        If columns of the named format are missing.
    """
    if name in FORMATS:
        table.require(sorted(FORMATS[name][0]))
        return name
    return next((name for name, (columns, _) in FORMATS.items() if columns <= set(table.columns)), None)


def read_kernels(paths: Iterable[Path], devices: dict[str, str] | None = None) -> Readings:
    """Kernels of several files.

    Parameters
    ----------
    paths : iterable of Path
        Kernel files, of any of the formats.
    devices : dict of str to str, optional
        Catalog name or file that stands for a device label of the files; the key ``*`` stands for all others.

    Raises
    ------
    InputError
        If a file is no kernel file, or has faults: those of all files at once.
    """
    out, problems = Readings(), list[Problem]()
    for path in paths:
        try:
            table = tables.read(path)
            found = kernel_format(table)
            if found is None and _beside(table, out):
                continue
            if found is None:
                raise InputError(_unknown(table))
            if devices and "device" in table.columns:
                labels = table.columns["device"]
                table.files = frozenset(devices.values())
                table.columns["device"] = [devices.get(text, devices.get("*", text)) for text in labels]
            part = FORMATS[found][1](table)
        except InputError as error:
            problems += error.problems
            continue
        out.kernels += part.kernels
        out.omitted += part.omitted
    if problems:
        raise InputError(problems)
    return out


def _beside(table: DataTable, out: Readings) -> bool:
    """Whether a table of ``llmperf bench`` that is no kernel file was read: copies and launches; streams say nothing
    that products and elementwise operators do not.
    """
    columns = set(table.columns)
    if {"direction", "memory", "bytes"} <= columns:
        pinned = table.labels("memory") == "pinned"
        rates = table.numbers("bytes") / table.seconds()
        table.check()
        out.copies += rates[pinned].tolist()
    elif "mode" in columns and any(name.startswith("time_") for name in columns):
        eager = table.labels("mode") == "eager"
        times = table.seconds()
        table.check()
        out.launches += times[eager].tolist()
    else:
        return {"op", "threads", "bytes"} <= columns
    return True


def _unknown(table: DataTable) -> Problem:
    best = max(FORMATS, key=lambda name: len(FORMATS[name][0] & set(table.columns)))
    lacks = sorted(FORMATS[best][0] - set(table.columns))
    near = nearest(lacks[0], table.columns)
    text = f"is no kernel file: for {best} it lacks {', '.join(lacks)}"
    return Problem(text, file=table.name, line=1, allowed=tuple(FORMATS), suggestion=near)


def of_devices(found: Readings, names: Iterable[str]) -> list[Kernels]:
    """The kernels of some chips, named as the catalog does or by an alias.

    Raises
    ------
    InputError
        If there are none of one of them.
    """
    chosen = []
    for name in names:
        hardware = chip(name)
        part = [kernel for kernel in found.kernels if kernel.device == hardware.name]
        if not part:
            have = tuple(sorted({kernel.device for kernel in found.kernels}))
            text = f"the data have no kernels of {hardware.name}"
            raise InputError(Problem(text, "--hardware", allowed=have, suggestion=nearest(name, have)))
        chosen += part
    return chosen
