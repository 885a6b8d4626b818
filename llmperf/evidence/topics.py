"""Errors by question: how right is it for one GPU, for tensor parallelism, for a service under load?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from llmperf.evidence.kernels.formats import FORMATS
from llmperf.evidence.rows import Rows
from llmperf.numeric import Array

TOPICS = {
    "one": "served on one data-center device",
    "tp": "several data-center devices",
    "moe": "experts on data-center devices",
    "load": "a service under load",
    "edge": "consumer cards, Apple, boards, processors",
    "offload": "data outside of the device",
    "kernels": "kernels",
}
"""Questions in the order in which they are shown; each measured row belongs to one."""
MEASURED = {"prefill": "prompts", "ttft": "first tokens", "decode": "tokens", "e2e": "whole requests"}
"""Phase of a row -> what is measured, in words."""
DATA_CENTER = ("gpu-hbm", "npu-hbm", "tpu-hbm", "asic-hbm")
"""Classes of hardware that are rented by the hour."""
FEW = 10
"""Rows below which a number is marked: one of them decides. [1]"""
_REGIMES = {"single": "one", "tp": "tp", "moe": "moe"}


@dataclass(frozen=True, slots=True)
class Line:
    """Errors of one question, engine and kind of measurement.

    Attributes
    ----------
    topic : str
        A key of `TOPICS`.
    engine : str
        Empty: all engines together.
    measured : str
        What is measured: a value of `MEASURED`, or of kernels the data set.
    n, groups : int
        Rows, and groups of them.
    median, p90, bias : float
        Of ln(projection / measured): median and 90th percentile of its size, and its median. [1]
    mean : float
        The mean over groups of their medians' size. [1]
    violations : int
        Rows that beat the bound.
    worst : str
        The group of the largest median, `worst_median` [1], of `worst_n` rows.
    """

    topic: str
    engine: str
    measured: str
    n: int
    groups: int
    median: float
    p90: float
    bias: float
    mean: float
    violations: int
    worst: str
    worst_median: float
    worst_n: int


def topic(rows: Rows, index: int) -> tuple[str, str, str, str]:
    """Question, engine, kind of measurement and group of a row."""
    one = rows.subjects[index]
    if rows.dataset in FORMATS:
        return "kernels", "", rows.dataset, rows.groups[index]
    if one is None:  # percentiles, which have the error band of their mean
        return "load", rows.dataset, _percentile(rows.metrics[index]), rows.groups[index]
    found = "load" if one.phase == "ttft" else _REGIMES.get(one.regime, "offload")
    if one.phase != "ttft" and one.regime != "offload" and one.hardware not in DATA_CENTER:
        found = "edge"
    return found, one.engine, MEASURED[one.phase], one.group


def _percentile(metric: str) -> str:
    """A percentile in words: ``ttft p90``; other rows without a band are those that contradict their own source."""
    said = metric.removesuffix("_s").replace("_", " ")
    return said if "_p9" in metric else f"{said} of rows that contradict their source"


def lines(found: Iterable[Rows], engines: bool = True) -> list[Line]:
    """Errors by question, engine and kind of measurement; without `engines` of all engines together."""
    held: dict[tuple[str, str, str], list[tuple[str, float, bool]]] = {}
    for rows in found:
        logs, beaten = rows.log_errors, rows.violations
        for index in range(len(rows)):
            name, engine, measured, group = topic(rows, index)
            key = (name, engine if engines else "", measured)
            held.setdefault(key, []).append((group, float(logs[index]), bool(beaten[index])))
    order = {name: place for place, name in enumerate(TOPICS)}
    keys = sorted(held, key=lambda key: (order[key[0]], *key[1:]))
    return [_line(key, held[key]) for key in keys]


def _line(key: tuple[str, str, str], rows: list[tuple[str, float, bool]]) -> Line:
    logs = np.array([log for _, log, _ in rows])
    groups: dict[str, list[float]] = {}
    for group, log, _ in rows:
        groups.setdefault(group, []).append(abs(log))
    medians = {group: float(np.median(sizes)) for group, sizes in groups.items()}
    worst = max(medians, key=lambda group: medians[group])
    size: Array = np.abs(logs)
    return Line(
        *key,
        len(rows),
        len(groups),
        float(np.median(size)),
        float(np.percentile(size, 90.0)),
        float(np.median(logs)),
        float(np.mean(list(medians.values()))),
        sum(beaten for _, _, beaten in rows),
        worst,
        medians[worst],
        len(groups[worst]),
    )
