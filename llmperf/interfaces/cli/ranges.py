"""Numeric knobs and their values as a flag writes them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llmperf import units
from llmperf.errors import InputError, Problem, shown
from llmperf.numeric import Array
from llmperf.scenarios.keys import FLAT

MOST = 20_000
"""Configurations of one knob."""


def knobs(texts: Iterable[str]) -> dict[str, Array]:
    """The knobs of several ``--sweep``, each with its values.

    Raises
    ------
    InputError
        If one is none, or is there twice, by whatever name.
    """
    found: dict[str, Array] = {}
    for text in texts:
        key, every = values(text)
        if any(FLAT.get(key, key) == FLAT.get(other, other) for other in found):
            raise InputError(Problem(f"{shown(key)} is swept twice", "--sweep", suggestion=f"{key}=1,2,4 names all"))
        found[key] = every
    return found


def values(text: str) -> tuple[str, Array]:
    """The key and values of one ``--sweep``.

    Raises
    ------
    InputError
        If they are no numbers, or a range does not end.
    """
    key, equals, written = (part.strip() for part in text.partition("="))
    if not equals or not key or not written:
        raise InputError(Problem(f"{text[:60]!r} is not key=values", "--sweep", suggestion="--sweep batch=1:256:x2"))
    key = key if "." in key else key.replace("-", "_")
    if ":" not in written:
        return key, np.array([_number(part, text) for part in written.split(",") if part.strip()])
    low, high, step = _range(written, text)
    times = step.startswith("x")
    first, last, by = _number(low, text), _number(high, text), _number(step.removeprefix("x"), text)
    if last < first or first <= 0.0 or (by <= 1.0 if times else by <= 0.0):
        problem = f"{written[:60]!r} does not rise from a number above 0"
        raise InputError(Problem(problem, "--sweep", suggestion="batch=1:256:x2, or input=512:8192:512"))
    count = 1 + int(np.floor((np.log(last / first) / np.log(by) if times else (last - first) / by) + 1e-9))
    if count > MOST:
        raise InputError(Problem(f"{written[:60]!r} are {count:,} values, more than {MOST:,}", "--sweep"))
    steps = np.arange(count)
    return key, np.asarray(first * by**steps if times else first + by * steps)


def _range(written: str, text: str) -> tuple[str, str, str]:
    parts = [part.strip() for part in written.split(":")]
    if len(parts) != 3:
        raise InputError(Problem(f"{text[:60]!r} is no range", "--sweep", suggestion="batch=1:256:x2: from, to, times"))
    return parts[0], parts[1], parts[2]


def _number(written: str, text: str) -> float:
    """A number, or a quantity in any unit that is known."""
    for dimension in units.DIMENSIONS:
        try:
            return units.parse(written.strip(), dimension)
        except units.UnitError:
            continue
    raise InputError(Problem(f"{written[:60]!r} in {text[:60]!r} is not a number", "--sweep", suggestion="batch=1,2,4"))
