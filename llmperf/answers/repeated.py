"""Scenarios that are asked again and again, found out by what is the same: only their numbers are new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llmperf.answers.answer import Answer
from llmperf.errors import InputError
from llmperf.files.store import MadeOfFiles

if TYPE_CHECKING:
    from llmperf.answers.prepared import Prepared

Kind = TypeVar("Kind", bound=Answer)

OFTEN = 100
"""Answers to a scenario before it is recorded, which takes about as long."""
NUMBERS = frozenset(("batch", "input", "output", "shared_prefix"))
"""Keywords whose numbers may be new each time."""
MOST = 256
"""Scenarios that are counted."""

_counts: dict[Any, int] = {}
_prepared = MadeOfFiles(64)


def again(
    kind: type[Kind],
    reference: Mapping[str, Any] | str | Path | None,
    overrides: Mapping[str, Any],
    catalog: tuple[str, ...],
) -> Kind | None:
    """The answer to a scenario that has been asked often, from its recording; None where it has not, or is wrong.

    Parameters
    ----------
    kind : type of Answer
    reference, overrides, catalog
        As of `llmperf.scenarios.resolve.resolve`.
    """
    if not (reference is None or isinstance(reference, str | Path)):
        return None
    numbers, rest = {}, []
    for name, value in overrides.items():
        if name in NUMBERS:
            numbers[name] = value
        rest.append((name, type(value), None if name in NUMBERS else value))
    key = (kind, reference, *rest, catalog)
    try:
        count = _counts.get(key, 0)
    except TypeError:  # what is no name and no number has no place here
        return None
    if count < OFTEN or not numbers:
        if len(_counts) >= MOST:
            _counts.clear()
        _counts[key] = count + 1
        return None
    where = (os.environ.get("LLMPERF_CATALOG"), os.getcwd())  # noqa: PTH109 (cheaper than a Path)
    prepared: Prepared[Kind] = _prepared.get((key, where), lambda: _prepare(kind, reference, overrides, catalog))
    try:
        return prepared(**numbers)
    except InputError:  # the long way says where it is written
        return None


def _prepare(kind: type[Kind], *scenario: Any) -> Prepared[Kind]:
    from llmperf.answers.prepared import Prepared

    return Prepared(kind, *scenario)
