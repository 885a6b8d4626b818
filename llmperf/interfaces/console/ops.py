"""Operator tables on a terminal."""

from __future__ import annotations

from typing import Any

from llmperf.interfaces.console.style import WIDTH, console, table, text
from llmperf.words.quantities import quantity, share


def show(data: dict[str, Any]) -> None:
    """Print the operators of each step, the slowest first; on a narrow terminal without dimensions and operations."""
    out = console()
    wide = out.width >= WIDTH
    for step in data["steps"]:
        times = f"{step['steps']:g} x " if step["steps"] != 1 else ""
        made = table(
            "operator",
            "runs",
            *(("m x n x k", "FLOP") if wide else ()),
            "bytes",
            "roofline",
            "time",
            "all",
            "limited by",
            title=f"{step['step']}: {times}{quantity(step['device_time_s'], 'time')} on the device",
        )
        made.columns[-1].right, made.columns[-1].folds = False, True
        for row in step["operators"]:
            dims = f"{row['m']:.0f}x{row['n']:.0f}x{row['k']:.0f}" if row["k"] else ""
            moved = row["weight_bytes"] + row["kv_bytes"] + row["activation_bytes"] + row["message_bytes"]
            work = row["flops"] + row["vector_flops"]
            made.add_row(
                text(row["name"]),
                f"{row['repeat']:g}",
                *((dims, _short(work)) if wide else ()),
                _short(moved),
                quantity(row["roofline_s"], "time"),
                quantity(row["time_s"], "time"),
                share(row["share"]),
                row["limited_by"],
            )
        out.print(made)
    for warning in data["warnings"]:
        out.print(f"note: {text(warning)}")


def _short(value: float) -> str:
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{prefix}"
    return f"{value:.3g}"
