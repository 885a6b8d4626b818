"""Measured data as tables: bounded CSV files whose columns are read as numbers or texts, every fault named."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.files.documents import decoded, raw_bytes, small_enough
from llmperf.numeric import Array

MAX_BYTES = 256 * 2**20
"""Largest file that is read."""
MAX_ROWS = 1_000_000
"""Most rows of a file."""
SMALLEST, LARGEST = 1e-15, 1e15
"""Numbers beyond these (but zero) are typing errors, and would overflow what is computed from them."""
MAX_COLUMNS = 500
"""Most columns; also guards against a file that is no table."""
SCALES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Units that a time column's name may end in, in seconds."""


@dataclass(slots=True)
class DataTable:
    """Columns of texts, and what has been found wrong with them so far.

    Attributes
    ----------
    name : str
        The file as messages name it.
    columns : dict of str to list of str
        Texts of each column, without surrounding blanks.
    lines : ndarray of int
        Line of the file on which each row begins. [1]
    problems : list of Problem
        Faults found by the readers below; `check` raises them together.
    files : frozenset of str
        Hardware files that the device column may name: those of the caller, never those of the data.
    """

    name: str
    columns: dict[str, list[str]]
    lines: NDArray[np.int64]
    problems: list[Problem] = field(default_factory=list)
    files: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.lines)

    def require(self, names: Iterable[str]) -> None:
        """Raise for all columns that are missing, each with the nearest column there is."""
        for name in names:
            if name not in self.columns:
                near = nearest(name, self.columns)
                self.problems.append(Problem("this column is missing", name, self.name, 1, tuple(self.columns), near))
        self.check()

    def text(self, name: str, default: str = "") -> list[str]:
        """The texts of a column; `default` in every row where the file lacks it."""
        return self.columns[name] if name in self.columns else [default] * len(self)

    def labels(self, name: str, default: str = "") -> NDArray[Any]:
        """The texts of a column as an array of objects, for comparisons."""
        return np.array(self.text(name, default), dtype=object)

    def numbers(
        self, name: str, default: float | None = None, *, least: float = 0.0, above: bool = True, most: float = LARGEST
    ) -> Array:
        """The numbers of a column.

        Parameters
        ----------
        name : str
            The column.
        default : float, optional
            Value of empty cells, and of every row where the column is missing; without it both are faults.
        least : float
            Numbers must lie above it, or, without `above`, not below it.
        most : float
            Largest number that is allowed.

        Returns
        -------
        ndarray, (rows,)
            Faulty cells are noted in `problems` and read as NaN.
        """
        if name not in self.columns:
            if default is None:
                self.problems.append(
                    Problem(
                        "this column is missing", name, self.name, 1, tuple(self.columns), nearest(name, self.columns)
                    )
                )
            return np.full(len(self), np.nan if default is None else default)
        texts = self.columns[name]
        if default is not None:
            texts = [text or repr(default) for text in texts]
        try:
            out = np.array(texts, dtype=float)
            unread = np.zeros(len(out), dtype=bool)
        except ValueError:
            read = [_number(text) for text in texts]
            unread = np.array([value is None for value in read])
            out = np.array([np.nan if value is None else value for value in read])
        given = (
            np.array([bool(text) for text in self.columns[name]]) if default is not None else np.ones(len(out), bool)
        )
        with np.errstate(invalid="ignore"):
            small = (out <= least) if above else (out < least)
            beyond = (out > most) | ((np.abs(out) < SMALLEST) & (out != 0.0))
        self.refuse(name, unread, "is not a number; the column's name states its unit")
        self.refuse(name, ~unread & ~np.isfinite(out) & given, "is not a finite number")
        self.refuse(
            name,
            ~unread & np.isfinite(out) & small & given,
            f"must be {'more than' if above else 'at least'} {least:g}",
        )
        far = ~unread & np.isfinite(out) & ~small & beyond & given
        self.refuse(name, far, f"must lie between {SMALLEST:g} and {most:g}")
        return out

    def seconds(self, stem: str = "time") -> Array:
        """The times of the column `stem` with its unit behind an underscore (``time_us``). [s]"""
        found = [unit for unit in SCALES if f"{stem}_{unit}" in self.columns]
        if not found:
            allowed = tuple(f"{stem}_{unit}" for unit in SCALES)
            self.problems.append(
                Problem("no time column with a unit", stem, self.name, 1, allowed, nearest(stem, self.columns))
            )
            return np.full(len(self), np.nan)
        return self.numbers(f"{stem}_{found[0]}") * SCALES[found[0]]

    def refuse(self, name: str, wrong: NDArray[np.bool_], message: str) -> None:
        """Note the rows whose cell of a column is wrong; at most a hundred are named."""
        for row in np.flatnonzero(wrong)[:100]:
            text = self.columns[name][row]
            self.problems.append(Problem(f"{shown(text)} {message}", name, self.name, int(self.lines[row])))
        beyond = int(wrong.sum()) - 100
        if beyond > 0:
            self.problems.append(Problem(f"and {beyond} more rows alike", name, self.name))

    def check(self) -> None:
        """Raise what has been found wrong so far."""
        if self.problems:
            raise InputError(self.problems)

    def select(self, rows: Sequence[int] | NDArray[Any]) -> DataTable:
        """The table of some rows only."""
        chosen = np.arange(len(self))[rows]
        columns = {name: [texts[row] for row in chosen] for name, texts in self.columns.items()}
        return DataTable(self.name, columns, self.lines[chosen], files=self.files)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read(path: Path) -> DataTable:
    """Read a CSV file with a header line (UTF-8, commas), packed by gzip where its name ends in .gz.

    Raises
    ------
    InputError
        If the file cannot be read, is empty, too large, not UTF-8, no CSV, or has rows of another width.
    """
    file = str(path)
    content = raw_bytes(path, MAX_BYTES)
    if path.suffix == ".gz":
        content = small_enough(_unpacked(content, file), MAX_BYTES, file)
    return parse(content, file)


def _unpacked(content: bytes, file: str) -> bytes:
    """What a .gz file holds, up to one byte more than is read."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(Problem(f"is no gzip file: {error}", file=file)) from None


def parse(content: bytes, file: str) -> DataTable:
    """CSV text to a `Table`; raises as `read` does."""
    text = decoded(content, file)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    problems: list[Problem] = []
    columns: list[list[str]] = []
    known: dict[str, str] = {}  # a cell that comes again is the same text in memory
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(header, file)
        columns = [[] for _ in header]
        begin = reader.line_num + 1
        for row in reader:
            if len(row) == len(header):
                for column, cell in zip(columns, row, strict=True):
                    bare = cell.strip()
                    column.append(known.setdefault(bare, bare))
                lines.append(begin)
            elif row:
                problems.append(Problem(f"has {len(row)} cells, the header {len(header)}", file=file, line=begin))
            if len(lines) > MAX_ROWS:
                raise InputError(Problem(f"holds more than {MAX_ROWS:,} rows", file=file))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InputError(Problem(f"is no CSV table: {error}", file=file, line=reader.line_num)) from None
    if problems:
        raise InputError(problems)
    if not lines:
        raise InputError(Problem("has a header but no rows", file=file))
    return DataTable(file, dict(zip(header, columns, strict=True)), np.array(lines))


def _check_header(header: list[str], file: str) -> None:
    if len(header) > MAX_COLUMNS:
        raise InputError(Problem(f"has {len(header)} columns; at most {MAX_COLUMNS} are read", file=file, line=1))
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError([Problem("this column stands twice", name, file, 1) for name in twice])
    if "" in header:
        raise InputError(Problem(f"column {header.index('') + 1} has no name", file=file, line=1))
