"""Outputs of an answer by their paths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer

EQUAL = 1e-6
"""Relative difference up to which numbers are equal. [1]"""


def values(result: Answer, size: int) -> Iterator[dict[str, Any]]:
    """The outputs of each configuration by path; None where one does not exist, infinity where it has no limit."""
    columns = {path: _listed(result.value(path), size) for path in result.paths}
    for index in range(size):
        yield {path: found[index] for path, found in columns.items()}


def _listed(found: Any, size: int) -> list[Any]:
    """One output of each configuration; None for what is no number."""
    many = found.reshape(-1).tolist() if isinstance(found, np.ndarray) else [found] * size
    return [None if isinstance(one, float) and math.isnan(one) else one for one in many]
