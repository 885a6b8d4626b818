"""Analytical roofline performance models of large language models.

>>> import llmperf
>>> result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=8, input=1024, output=128)
>>> bool(result.bound.tpot_s <= result.projection.tpot_s)
True
"""

from __future__ import annotations

from llmperf.version import __version__ as __version__

TYPE_CHECKING = False  # as type checkers read it; the module `typing` takes longer to import than all that is here
if TYPE_CHECKING:
    from typing import Any

    from llmperf.checks import Checks, check
    from llmperf.checks.diff import diff
    from llmperf.errors import InputError, Problem
    from llmperf.importers.traces.statistics import traffic
    from llmperf.interfaces.api import Comparison, Estimate, compare, estimate, prepare, serve
    from llmperf.interfaces.sizing import Sizing, size
    from llmperf.scenarios.resolve import resolve as load

__all__ = [
    "Checks",
    "Comparison",
    "Estimate",
    "InputError",
    "Problem",
    "Sizing",
    "check",
    "compare",
    "diff",
    "estimate",
    "load",
    "prepare",
    "serve",
    "size",
    "traffic",
]

_HOMES = {
    "Checks": ("llmperf.checks", "Checks"),
    "check": ("llmperf.checks", "check"),
    "Comparison": ("llmperf.interfaces.api", "Comparison"),
    "compare": ("llmperf.interfaces.api", "compare"),
    "diff": ("llmperf.checks.diff", "diff"),
    "Estimate": ("llmperf.interfaces.api", "Estimate"),
    "estimate": ("llmperf.interfaces.api", "estimate"),
    "prepare": ("llmperf.interfaces.api", "prepare"),
    "serve": ("llmperf.interfaces.api", "serve"),
    "traffic": ("llmperf.importers.traces.statistics", "traffic"),
    "size": ("llmperf.interfaces.sizing", "size"),
    "Sizing": ("llmperf.interfaces.sizing", "Sizing"),
    "load": ("llmperf.scenarios.resolve", "resolve"),
    "InputError": ("llmperf.errors", "InputError"),
    "Problem": ("llmperf.errors", "Problem"),
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that ``import llmperf`` costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
