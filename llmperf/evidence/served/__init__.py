"""Measured end-to-end data sets as scenarios: each is recognized by its columns and evaluated to `Rows`.

Every entry of `DATASETS` has a ``NAME``, the ``COLUMNS`` that its file has at least, and ``evaluate(table) -> Rows``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from llmperf.evidence.rows import Rows
from llmperf.evidence.served import edge, elsewhere, serving, silicon, splitwise, vllm
from llmperf.evidence.tables import DataTable


class DataSet(Protocol):
    """What a data set's module offers."""

    @property
    def NAME(self) -> str:  # noqa: N802 (as the modules call it)
        """What the data set is called."""

    @property
    def COLUMNS(self) -> set[str]:  # noqa: N802
        """Columns that its file has at least."""

    @property
    def evaluate(self) -> Callable[[DataTable], Rows]:
        """The rows of a table beside bound and projection."""


DATASETS: tuple[DataSet, ...] = (splitwise, edge, serving, silicon, vllm, *elsewhere.SETS)
"""The data sets, in the order in which their columns are tried."""


def recognized(columns: Iterable[str]) -> list[DataSet]:
    """The data sets whose columns a file has."""
    present = set(columns)
    return [dataset for dataset in DATASETS if present >= dataset.COLUMNS]
