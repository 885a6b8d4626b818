"""Validation: measured rows of any known format beside what is predicted for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from llmperf.errors import InputError, Problem, nearest
from llmperf.evidence import served, tables
from llmperf.evidence.datasets import kernel_format, shipped
from llmperf.evidence.kernels.formats import FORMATS, project
from llmperf.evidence.rows import Rows
from llmperf.evidence.tables import DataTable


def formats() -> dict[str, frozenset[str]]:
    """Every data format: the columns that it is recognized by, the most special first."""
    out = {module.NAME: frozenset(module.COLUMNS) for module in served.DATASETS}
    return out | {name: columns for name, (columns, _) in FORMATS.items()}


def evaluate(table: DataTable, name: str | None = None) -> Rows:
    """Predict every row of a table.

    Parameters
    ----------
    table : DataTable
    name : str, optional
        The format; without, the first whose columns the table has.

    Raises
    ------
    InputError
        If the format is not known, columns are missing, or cells are wrong.
    """
    known = formats()
    if name is not None and name not in known:
        text = f"unknown data set {name!r}"
        raise InputError(Problem(text, "--dataset", allowed=tuple(known), suggestion=nearest(name, known)))
    if name is not None:
        table.require(sorted(known[name]))
    for module in served.DATASETS:
        if name == module.NAME or (name is None and set(module.COLUMNS) <= set(table.columns)):
            rows: Rows = module.evaluate(table)
            return rows
    found = kernel_format(table, name)
    if found is None:
        raise InputError(_unrecognized(table, known))
    return _kernel_rows(table, found)


def _unrecognized(table: DataTable, known: dict[str, frozenset[str]]) -> Problem:
    best = min(known, key=lambda name: len(known[name] - set(table.columns)) / len(known[name]))
    lacks = sorted(known[best] - set(table.columns))
    text = f"no known data set has these columns; {best} would need {', '.join(lacks)} besides"
    return Problem(text, file=table.name, line=1, allowed=tuple(known), suggestion=nearest(lacks[0], table.columns))


def _kernel_rows(table: DataTable, name: str) -> Rows:
    found = FORMATS[name][1](table)
    rows = Rows(name)
    named = "id" in table.columns
    for part in found.kernels:
        scheme = part.scheme.partition("/")[0].partition("+")[0]
        rows.extend(
            ids=[text if named else f"{name}:{text}" for text in part.ids],
            metric="time_s",
            groups=[f"{part.device} {scheme}"] * len(part),
            measured=part.measured,
            bound=part.bound,
            projection=project(part),
            notes=[part.note] * len(part),
            sources=part.sources,
        )
    for row, why in found.omitted:
        rows.omit([row if named else f"{name}:{row}"], why)
    return rows


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """The data files behind paths: files themselves, and the ``.csv`` and ``.csv.gz`` files of directories."""
    for path in paths:
        if path.is_dir():
            inside = sorted({*path.glob("*.csv"), *path.glob("*.csv.gz")})
            if not inside:
                raise InputError(Problem("holds no .csv or .csv.gz file", file=str(path)))
            yield from inside
        else:
            yield path


def validate(
    paths: Iterable[Path] = (), name: str | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Rows]:
    """Predict all rows of data files; without paths, of those that ship with the package.

    Raises
    ------
    InputError
        With the faults of all files.
    """
    chosen = list(files(paths)) or shipped()
    out: list[Rows] = []
    problems: list[Problem] = []
    for done, path in enumerate(chosen):
        if progress:
            progress(done, len(chosen))
        try:
            out.append(evaluate(tables.read(path), name))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    if progress:
        progress(len(chosen), len(chosen))
    return out
