"""What the measured rows say of the device: the best rates, each with the case that reached it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from llmperf.evidence.bench.loop import Outcome
from llmperf.evidence.bench.plan import Trial
from llmperf.evidence.bench.timing import Timing

Row = tuple[Trial, Timing]
DTYPES = {"bfloat16": "bf16"}
"""Data types that hardware files call by another name than kernel tables do."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A best rate, or a least time.

    `name` ends in its unit, `dimension` is a key of `llmperf.units.DIMENSIONS`, `value` in SI units; `case` reached it,
    `of` is the number of cases that it is the best of.
    """

    name: str
    label: str
    dimension: str
    value: float
    case: Trial
    of: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "label": self.label, "value": self.value, "case": str(self.case), "of": self.of}


def best_of(outcome: Outcome) -> list[Figure]:
    """All figures that the measured rows give."""
    rows = outcome.measured
    of = {table: [row for row in rows if row[0].table == table] for table in {case.table for case, _ in rows}}
    out: list[Figure | None] = []
    products = of.get("gemm", [])
    for dtype in dict.fromkeys(str(case.row["dtype"]) for case, _ in products):
        short = DTYPES.get(dtype, dtype)
        chosen = [row for row in products if row[0].row["dtype"] == dtype]
        out.append(_best(f"gemm.{short}_flop_per_s", f"{short} products", "compute", chosen, _operations))
    out.append(main_memory(outcome))
    cached = [row for row in of.get("stream", []) if not row[0].cold]
    out.append(_best("memory.cache_bytes_per_s", "arrays in the cache", "bandwidth", cached, _traffic))
    for table, name, label, dimension, rate in (
        ("elementwise", "elementwise_bytes_per_s", "elementwise operators", "bandwidth", _traffic),
        ("attention_prefill", "attention_prefill_flop_per_s", "prefill attention", "compute", _operations),
        ("attention_decode", "attention_decode_bytes_per_s", "decode attention", "bandwidth", _traffic),
        ("collectives", "all_reduce_bus_bytes_per_s", "all-reduce, bus bandwidth", "bandwidth", _bus),
    ):
        out.append(_best(name, label, dimension, of.get(table, []), rate))
    for direction in ("host_to_device", "device_to_host"):
        chosen = [row for row in of.get("copies", []) if row[0].row["direction"] == direction]
        label = direction.replace("_", " ")
        out.append(_best(f"copy.{direction}_bytes_per_s", f"copies, {label}", "bandwidth", chosen, _traffic))
    for case, timing in of.get("launches", []):
        mode = str(case.row["mode"])
        out.append(Figure(f"launch.{mode}_s", f"launch, {mode.replace('_', ' ')}", "time", timing.time, case, 1))
    return [figure for figure in out if figure is not None]


def main_memory(outcome: Outcome) -> Figure | None:
    """The best sustained bandwidth over operands that do not fit the cache, matrix products of few rows included."""
    cold = [row for row in outcome.measured if row[0].cold and row[0].table in ("stream", "gemm")]
    return _best("memory.main_bytes_per_s", "main memory", "bandwidth", cold, _traffic)


def _operations(case: Trial, seconds: float) -> float:
    return case.flops / seconds


def _traffic(case: Trial, seconds: float) -> float:
    return case.bytes / seconds


def _bus(case: Trial, seconds: float) -> float:
    """Bytes that one device sends a second: ``2 (n - 1) / n`` of the buffer, as NCCL's tests count."""
    ranks = float(case.row["n_ranks"])
    return 2.0 * (ranks - 1.0) / ranks * case.bytes / seconds


def _best(
    name: str, label: str, dimension: str, rows: Iterable[Row], rate: Callable[[Trial, float], float]
) -> Figure | None:
    rated = [(rate(case, timing.time), case) for case, timing in rows]
    if not rated:
        return None
    value, case = max(rated, key=lambda pair: pair[0])
    return Figure(name, label, dimension, value, case, len(rated))
