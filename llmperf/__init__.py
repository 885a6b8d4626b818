"""Analytical roofline performance models of large language models.

>>> import llmperf
>>> result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=8, input=1024, output=128)
>>> bool(result.bound.tpot_s <= result.projection.tpot_s)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from llmperf.descriptors.resolve import resolve as load
    from llmperf.errors import InputError, Problem
    from llmperf.interfaces.check import Checks, check
    from llmperf.interfaces.comparison import Comparison, compare
    from llmperf.interfaces.difference import diff
    from llmperf.interfaces.results import Estimate, estimate

__all__ = ["Checks", "Comparison", "Estimate", "InputError", "Problem", "check", "compare", "diff", "estimate", "load"]

_HOMES = {
    "Checks": ("llmperf.interfaces.check", "Checks"),
    "check": ("llmperf.interfaces.check", "check"),
    "Comparison": ("llmperf.interfaces.comparison", "Comparison"),
    "compare": ("llmperf.interfaces.comparison", "compare"),
    "diff": ("llmperf.interfaces.difference", "diff"),
    "Estimate": ("llmperf.interfaces.results", "Estimate"),
    "estimate": ("llmperf.interfaces.results", "estimate"),
    "load": ("llmperf.descriptors.resolve", "resolve"),
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
