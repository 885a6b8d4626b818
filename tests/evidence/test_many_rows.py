"""Tables of many rows: time and memory grow with them, not with their square."""

from __future__ import annotations

import time

import numpy as np

from llmperf.evidence.rows import Rows
from llmperf.evidence.tables import parse
from llmperf.evidence.validation import Validation
from llmperf.interfaces.console.validation import show


def test_showing_rows_that_all_beat_the_bound_is_not_quadratic() -> None:
    count = 40_000
    rows = Rows("gemm")
    ids = [f"row {number}" for number in range(count)]
    rows.extend(
        ids=ids, metric="time_s", groups=["x"] * count, measured=np.ones(count), bound=np.full(count, 2.0),
        projection=np.full(count, 3.0),
    )  # fmt: skip
    begin = time.process_time()
    show(Validation([rows]))
    assert time.process_time() - begin < 5.0  # minutes where each row asked anew which rows are unexplained


def test_equal_cells_are_one_text_in_memory() -> None:
    table = parse(b"a,b\n" + b"some text, other text\n" * 100, "t.csv")
    assert len({id(text) for texts in table.columns.values() for text in texts}) == 2
    assert table.columns["b"][99] == "other text"
