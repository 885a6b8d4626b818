"""What no trace can hold is refused; what was not answered is left out; the rest is put in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.errors import InputError, Problem
from llmperf.importers.traces.reuse import reused_tokens
from llmperf.importers.traces.trace import Faults, Requests, Trace

MAX_TOKENS = 1e9
"""Lengths above this are typing errors. [token]"""
OUT_OF_ORDER_S = 60.0
"""How much earlier than one before it a request may have come: some logs write a request when it ends. [s]"""


def finished(rows: Requests, faults: Faults, kind: str, left_out: Mapping[str, int], notes: tuple[str, ...]) -> Trace:
    """The trace of what a file has, once nothing in it is impossible.

    Raises
    ------
    InputError
        With what has been noted before; if there is no request with an answer, a length is none, or times are not in
        order.
    """
    with np.errstate(invalid="ignore"):
        for name, lengths, some in (
            ("input", rows.inputs, rows.inputs > 0.0),
            ("output", rows.outputs, rows.outputs >= 0.0),
        ):
            faults.refuse(~some | (lengths > MAX_TOKENS), rows.lines, "is no number of tokens", name)
    if rows.times is not None:
        known = np.isfinite(rows.times)
        faults.refuse(~known, rows.lines, "is no time", "time")
        times, lines = rows.times[known], rows.lines[known]
        late = np.maximum.accumulate(times) - times if len(times) else times
        text = f"is more than {OUT_OF_ORDER_S:g} s earlier than one before it"
        faults.refuse(late > OUT_OF_ORDER_S, lines, text, "time")
    faults.check()
    answered = rows.outputs > 0.0
    out = dict(left_out)
    if not answered.all():
        out["without an answer"] = out.get("without an answer", 0) + int((~answered).sum())
    if not answered.any():
        raise InputError(Problem("holds no request with an answer", file=faults.file))
    return Trace(faults.file, kind, _in_order(rows, answered), out, notes)


def _in_order(rows: Requests, answered: NDArray[np.bool_]) -> Requests:
    """The requests that were answered, in the order in which they came, with times from the first.

    Blocks stay those of all requests: one that failed has filled the cache as well.
    """
    kept = np.flatnonzero(answered)
    if rows.times is not None:
        kept = kept[np.argsort(rows.times[kept], kind="stable")]
    reused = reused_tokens(rows) if rows.blocks is not None else rows.reused
    start = rows.times[kept[0]] if rows.times is not None else 0.0

    def of(column: Any, start: float = 0.0) -> Any:
        return None if column is None else column[kept] - start if start else column[kept]

    return Requests(
        rows.lines[kept],
        rows.inputs[kept],
        rows.outputs[kept],
        of(rows.times, start),
        of(rows.ends, start),
        of(rows.sessions),
        of(reused),
    )
