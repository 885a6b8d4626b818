"""A run of a benchmark tool: its load, what it says about the scenario, and what it measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmperf.errors import Problem, shown
from llmperf.evidence.tables import LARGEST, SMALLEST

PERCENTILES = (50, 90, 99)
"""Percentiles that are predicted (`llmperf.phases.serving.tails`)."""
OTHER_SPREADS = "of spreads, percentiles 50, 90 and 99 of times are predicted"
NO_PREDICTION = "nothing that is predicted corresponds to it"
ZERO = "0: not measured"


@dataclass(frozen=True, slots=True)
class OfferedLoad:
    """How requests came.

    Attributes
    ----------
    kind : str
        ``static``: one batch at a time. ``closed``: `concurrency` requests are always in flight. ``burst``: all
        `requests` come at once. ``open``: `rate` requests a second, whatever is in flight. ``unsteady``: neither.
    concurrency : float or None
        Requests in flight; of an open loop the most that the client allows. [1]
    rate : float or None
        Arrivals. [1/s]
    requests : float or None
        Requests of the run. [1]
    burstiness : float
        Of an open loop, the shape of the gamma distribution of times between arrivals. [1]
    """

    kind: Literal["static", "closed", "burst", "open", "unsteady"]
    concurrency: float | None = None
    rate: float | None = None
    requests: float | None = None
    burstiness: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured metric: its name here, its value in SI units, and its key in the file."""

    metric: str
    value: float
    key: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run as a tool wrote it down.

    Attributes
    ----------
    tool, label : str
        Which tool wrote it, and what tells it from the other runs of the file.
    load : OfferedLoad
    workload : dict of str to int
        ``input``, ``output``, ``shared_prefix``: mean tokens, as far as the file says.
    names : dict of str to str
        ``model``, ``hardware``, ``weights``, ``kv_cache``, ``engine`` as the file names them.
    formats : dict of str to mapping
        Formats that the file describes by their size, where the catalog has no such name.
    layout : dict of str to int
        Ways of parallelism that the file states.
    devices : int or None
        Number of devices, where the file states no layout.
    engine : dict of str to int
        Settings of the serving engine that the file states.
    gpu_layers : int or None
        Layers that are said to be on the GPU.
    measured : tuple of Measured
    not_compared : tuple of (str, str)
        Keys of other measurements, and why there is no prediction for them.
    notes : tuple of str
        What a reader of the comparison should know.
    """

    tool: str
    label: str
    load: OfferedLoad
    workload: Mapping[str, int]
    measured: tuple[Measured, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    layout: Mapping[str, int] = field(default_factory=dict)
    devices: int | None = None
    engine: Mapping[str, int] = field(default_factory=dict)
    gpu_layers: int | None = None
    not_compared: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Fields:
    """One record of a file, read key by key; faults collect in `problems`."""

    data: Mapping[str, Any]
    file: str
    line: int | None = None
    problems: list[Problem] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    not_compared: list[tuple[str, str]] = field(default_factory=list)

    def get(self, path: str) -> Any:
        """The value at a dotted path; None where a part of it is missing."""
        value: Any = self.data
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def fault(self, path: str, message: str, allowed: Iterable[str] = ()) -> None:
        """Note what is wrong at a path."""
        self.problems.append(Problem(message, path, self.file, self.line, tuple(allowed)))

    def text(self, path: str) -> str:
        """A text, empty where there is none."""
        value = self.get(path)
        return value.strip()[:300] if isinstance(value, str) else ""

    def number(self, path: str, *, infinite: bool = False) -> float | None:
        """A number that is not negative, None where there is none; texts of numbers (CSV) are read.

        Parameters
        ----------
        path : str
        infinite : bool
            Whether it may be infinite (a request rate).
        """
        value = self.get(path)
        if value is None or value == "":
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            self.fault(path, f"{shown(value)} is not a number; the key states the unit")
            return None
        if math.isnan(number) or (math.isinf(number) and not infinite):
            self.fault(path, f"{shown(value)} is not a finite number")
            return None
        if number < 0.0:
            self.fault(path, f"{shown(value)} is negative")
            return None
        if 0.0 < number < SMALLEST or LARGEST < number < math.inf:
            self.fault(path, f"{shown(value)} is beyond what is measured: {SMALLEST:g} to {LARGEST:g}")
            return None
        return number

    def some(self, path: str) -> float | None:
        """A number above zero; zero counts as not stated."""
        return self.number(path) or None

    def whole(self, path: str) -> int | None:
        """A whole number above zero, rounded, None where there is none."""
        value = self.some(path)
        return None if value is None else max(1, round(value))

    def require(self, *paths: str) -> None:
        """Note keys that are missing or null."""
        for path in paths:
            if self.get(path) is None:
                self.fault(path, "this key is missing")

    def measure(self, metric: str, path: str, scale: float = 1.0) -> None:
        """Take a measurement, in `scale` SI units; zero is what tools write when they measured nothing."""
        value = self.number(path)
        if value == 0.0:
            self.not_compared.append((path, ZERO))
        elif value is not None:
            self.measured.append(Measured(metric, value * scale, path))

    def skip(self, path: str, why: str) -> None:
        """Note a measurement that is there, but has no prediction."""
        if self.get(path) is not None:
            self.not_compared.append((path, why))


def percentile(mean: str, percent: int) -> str:
    """The metric of a percentile of what a mean time is known of: ``ttft_p99_s`` beside ``ttft_mean_s``."""
    return f"{mean.removesuffix('_s').removesuffix('_mean')}_p{percent}_s"


def by_little(rate: float | None, latency: float | None, requests: float | None) -> OfferedLoad | None:
    """The load of a run that does not say it: by Little's law as many are in flight as came while one was served.

    Parameters
    ----------
    rate : float or None
        Completed requests. [1/s]
    latency : float or None
        Mean time of a request. [s]
    requests : float or None
        Requests of the run, which bound those in flight. [1]
    """
    if not rate or not latency:
        return None
    flying = max(round(rate * latency), 1)
    return OfferedLoad("closed", float(min(flying, requests) if requests else flying), None, requests)


def mean(total: float | None, count: float | None) -> int | None:
    """Whole tokens a request, at least one; None where either is unknown."""
    return max(1, round(total / count)) if total and count else None


def present(**values: Any) -> dict[str, Any]:
    """The values that are not None or empty."""
    return {key: value for key, value in values.items() if value not in (None, "")}
