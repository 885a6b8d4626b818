"""The public face: questions asked from Python, and results that know how to print, draw and explain themselves.

Facts meet words and pictures here and nowhere else; all below is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmperf.answers.answer import Answer, answer
from llmperf.answers.comparison import Comparison as Compared
from llmperf.answers.comparison import compare as compared
from llmperf.answers.repeated import again
from llmperf.errors import InputError, Problem
from llmperf.records import dataclass
from llmperf.scenarios.resolve import resolve

if TYPE_CHECKING:
    from llmperf.answers.prepared import Prepared
    from llmperf.scenarios.names import Reference
    from llmperf.words.items import Explanation


@dataclass(frozen=True, slots=True)
class Estimate(Answer):
    """The answer to one scenario; every value is a number, or an array of the shape that the inputs broadcast to."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf estimate --json`` prints it: SI units, null for what does not exist."""
        from llmperf.contract.answers import estimate_dict

        return estimate_dict(self)

    def explain(self) -> Explanation:
        """What limits it, what would help, how sure that is: sentences with their numbers.

        Raises
        ------
        InputError
            If the result holds arrays.
        """
        from llmperf.words.explain import explain

        return explain(self)

    def plot(self, kind: str = "roofline", *, phase: str = "decode") -> Any:
        """A plotly figure (needs the extra: report).

        Parameters
        ----------
        kind : str
            Of one configuration: ``roofline``, ``operators`` (of one `phase`), ``waits``, ``memory`` or ``frontier``,
            tokens/s against time a token over the batch or the load; of a service also ``service``, its times and rates
            over the load. Of arrays: ``frontier``, ``curves`` or ``memory``; the latter two where one number varies.
        phase : str
            Whose operators: ``prefill`` or ``decode``.

        Raises
        ------
        InputError
            If there is no such figure of this result, or no plotly.
        """
        from llmperf.interfaces.notebook import plot

        return plot(self, kind, phase)

    def _repr_html_(self) -> str:
        """A table for notebooks: escaped, and without scripts."""
        from llmperf.interfaces.notebook import estimate_html

        return estimate_html(self)

    @property
    def extrapolated(self) -> list[str]:
        """Why the query lies outside of the measured evidence; empty where it does not."""
        from llmperf.evidence.confidence import extrapolated_of

        return extrapolated_of(self)


@dataclass(frozen=True, slots=True)
class Comparison(Compared):
    """Configurations side by side; the first is what the others are compared with."""

    results: tuple[Estimate, ...]

    def explanation(self, index: int) -> list[str]:
        """What makes the difference to the first configuration, in words with their numbers, the largest first."""
        from llmperf.words.difference import explanation

        return explanation(self, index)

    def plot(self, kind: str = "speedup") -> Any:
        """A plotly figure (needs the extra: report).

        Parameters
        ----------
        kind : str
            ``speedup``, ``roofline``, ``waits``, ``memory`` or ``frontier``.

        Raises
        ------
        InputError
            If there is no such figure, or no plotly.
        """
        from llmperf.interfaces.notebook import plot_comparison

        return plot_comparison(self, kind)

    def _repr_html_(self) -> str:
        """A table for notebooks: escaped, and without scripts."""
        from llmperf.interfaces.notebook import comparison_html

        return comparison_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf compare --json`` prints it: SI units, null for what does not exist."""
        from llmperf.contract.comparison import comparison_dict

        return comparison_dict(self)


def prepare(
    scenario: Mapping[str, Any] | str | Path | None = None, *, catalog: tuple[str, ...] = (), **overrides: Any
) -> Prepared[Estimate]:
    """Prepare a scenario for a loop: it is resolved and recorded once, and each call costs some tens of microseconds.

    >>> import llmperf
    >>> prepared = llmperf.prepare(model="llama-3.1-8b", hardware="h100-sxm")
    >>> len({prepared(batch=batch, input=1000).tpot_s for batch in (1, 8, 64)})
    3

    Parameters
    ----------
    scenario, catalog, **overrides
        As of `estimate`.

    Returns
    -------
    Prepared
        Called with numbers by name (``batch=8``), it gives what `estimate` gives with them on top.

    Raises
    ------
    InputError
        If the scenario is wrong; lists every fault.
    """
    from llmperf.answers.prepared import Prepared

    return Prepared(Estimate, scenario, overrides, catalog)


def asked(found: Answer) -> Estimate:
    """An answer with what presents it."""
    return Estimate(*(getattr(found, item.name) for item in fields(found)))


def estimate(
    scenario: Mapping[str, Any] | str | Path | None = None, *, catalog: tuple[str, ...] = (), **overrides: Any
) -> Estimate:
    """Estimate a static batch.

    Parameters
    ----------
    scenario : mapping, str or Path, optional
        A scenario as data, or the name or file of one.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    **overrides
        Keys of a scenario, short names (``tp``, ``pp``, ``dp``, ``ep``, ``cp``, ``batch``, ``input``, ``output``,
        ``shared_prefix``, ``replicas``, ...) or, in a mapping, dotted paths. Numbers may be arrays that broadcast
        against each other.

    Returns
    -------
    Estimate
        Numbers where all inputs are numbers, arrays of the broadcast shape otherwise. [SI units]

    Raises
    ------
    InputError
        If the scenario is wrong; lists every fault.
    """
    found = again(Estimate, scenario, overrides, catalog)
    return asked(answer(resolve(scenario, overrides, catalog))) if found is None else found


def serve(
    scenario: Mapping[str, Any] | str | Path | None = None, *, catalog: tuple[str, ...] = (), **overrides: Any
) -> Estimate:
    """Solve the steady state of a service under its traffic.

    >>> import llmperf
    >>> service = llmperf.serve(model="llama-3.1-8b", hardware="h100-sxm", engine="vllm", request_rate=5)
    >>> bool(service.ttft_p50_s <= service.ttft_p99_s)
    True

    Parameters
    ----------
    scenario, catalog, **overrides
        As of `estimate`, with one of ``request_rate``, ``concurrency``, ``users`` and ``requests``; limits as ``ttft``,
        ``tpot``, ``itl``, ``e2e`` and ``percentile``; or ``traffic``, a name of the catalog or a mapping.

    Returns
    -------
    Estimate
        Numbers where all inputs are numbers, arrays of the broadcast shape otherwise. [SI units]

    Raises
    ------
    InputError
        If the scenario is wrong, or says nothing of how requests come; lists every fault.
    """
    resolved = resolve(scenario, overrides, catalog)
    if resolved.template.traffic is None:
        text = "says nothing of how requests come"
        hint = "request_rate=4, concurrency=32, users=50 or requests=500"
        raise InputError(Problem(text, "traffic", suggestion=hint))
    return asked(answer(resolved))


def compare(
    base: Reference, *others: Mapping[str, Any] | str | Path, catalog: tuple[str, ...] = (), **overrides: Any
) -> Comparison:
    """Set two or more configurations side by side.

    Parameters
    ----------
    base : mapping, str or Path
        A scenario as data, or the name or file of one: what the others are compared with.
    *others : mapping, str or Path
        The name or file of a scenario of its own, one as data (`Whole`), or a mapping of what differs from `base` (keys
        as in `overrides`).
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    **overrides
        Keys on top of every scenario, as in `llmperf.estimate`; numbers only, no arrays. What a mapping of `others`
        names goes before them. With ``maximize``, each configuration is maximized by itself.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is nothing to compare, or a scenario is wrong; lists every fault.
    """
    found = compared(base, *others, catalog=catalog, **overrides)
    return Comparison(found.labels, tuple(asked(result) for result in found.results))
