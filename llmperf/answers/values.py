"""Outputs of an answer by their paths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.numeric import choose
from llmperf.outputs import BOUND_BY, by_path, canonical

EQUAL = 1e-6
"""Relative difference up to which numbers are equal. [1]"""


def values(result: Answer, size: int) -> Iterator[dict[str, Any]]:
    """The outputs of each configuration by path; None where one does not exist, infinity where it has no limit."""
    columns = {path: _listed(column(result, path), size) for path in by_path()}
    for index in range(size):
        yield {path: found[index] for path, found in columns.items()}


def _listed(found: Any, size: int) -> list[Any]:
    """One output of each configuration; None for what is no number."""
    many = found.reshape(-1).tolist() if isinstance(found, np.ndarray) else [found] * size
    return [None if isinstance(one, float) and math.isnan(one) else one for one in many]


def column(result: Answer, path: str) -> Any:
    """The values of one output."""
    head, _, name = canonical(path).rpartition(".")
    if head == BOUND_BY.name:
        return result.bottleneck[name]
    part = {"bound": result.bound, "roofline": result.roofline, "memory": result.memory}.get(head)
    if part is None:
        part = result.projection if name in {item.name for item in fields(result.projection)} else result.memory
    found = getattr(part, name)
    if name == "kv_pool_tokens":  # a model that keeps nothing of a token holds any number of them
        found = choose(np.isnan(found), np.inf, found)
    return found
