"""Sizing, asked from Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from llmperf.answers.sizing import Sizing as Sized
from llmperf.answers.sizing import size as sized
from llmperf.contract.sizing import to_dict
from llmperf.deployments.emit import emitted
from llmperf.errors import InputError, Problem, shown
from llmperf.evidence.confidence import slower
from llmperf.records import dataclass

CONFIDENCES = ("projection", "pessimistic")
"""Which end of a time's error band is looked at."""


@dataclass(frozen=True, slots=True)
class Sizing(Sized):
    """What serves a demand within limits; the best first."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf size --json`` prints it: SI units, null for what is not known."""
        return to_dict(self)

    def emit(self, form: str) -> str:
        """The launch line or manifest of the best candidate.

        Parameters
        ----------
        form : str
            ``vllm``, ``sglang``, ``trtllm`` or ``kubernetes``.

        Raises
        ------
        InputError
            If nothing serves the demand, or the form cannot say what the candidate does.
        """
        best = self.best
        if best is None:
            raise InputError(Problem("nothing serves this demand within its limits: there is nothing to emit", "emit"))
        return emitted(best.scenario, form)


def size(
    scenario: Mapping[str, Any] | str | Path | None = None,
    *,
    headroom: float = 0.0,
    devices_max: float = math.inf,
    layouts: int | None = None,
    confidence: str = "projection",
    catalog: tuple[str, ...] = (),
    **overrides: Any,
) -> Sizing:
    """Size a service: how many devices, in which layout, serve so many users within limits.

    >>> import llmperf
    >>> found = llmperf.size(model="llama-3.1-8b", hardware=["h100-sxm", "l40s"], users=50, speed="30 tok/s")
    >>> found.best.devices
    1

    Parameters
    ----------
    scenario : mapping, str or Path, optional
        A scenario as data, or the name or file of one.
    headroom : float
        Share of what a copy serves within its limits that is kept free. [1]
    devices_max : float
        Most devices of all copies together. [1]
    layouts : int, optional
        Layouts of each chip and format: by default the best one, or the five best of a single chip and format.
    confidence : str
        ``pessimistic``: times are the unfavourable ends of their error bands; else ``projection``.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    **overrides
        As of `estimate`. ``users`` (with ``think_time``), ``concurrency`` or ``request_rate`` say the demand; ``ttft``,
        ``tpot``, ``itl``, ``e2e`` and ``speed`` (tokens a second that a user reads) the limits of a ``percentile``.
        ``hardware``, ``weights``, ``kv_cache`` and ``engine`` may be lists, of which each is tried with each.

    Returns
    -------
    Sizing

    Raises
    ------
    InputError
        If the scenario is wrong or says no demand; lists every fault.
    """
    if confidence not in CONFIDENCES:
        raise InputError(Problem(f"{shown(confidence)} is not allowed", "confidence", allowed=CONFIDENCES))
    doubt = slower if confidence == "pessimistic" else None
    found = sized(scenario, overrides, catalog, headroom=headroom, devices_max=devices_max, shown=layouts, doubt=doubt)
    return Sizing(*(getattr(found, item.name) for item in fields(found)))
