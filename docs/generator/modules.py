"""The reference of the package: a page for each module that has public members."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache

import llmperf
from generator.markup import Page, page

STAGES = ("descriptors", "operators", "costs", "phases", "evidence", "interfaces")
"""In the order in which they import each other."""
INTERNAL = ("llmperf.interfaces.cli", "llmperf.interfaces.console", "llmperf.interfaces.report")
"""What has no reference: the command line has one of its own."""


@cache
def names() -> list[str]:
    """Modules that have a page, in the order of the stages."""
    found = [module.name for module in pkgutil.walk_packages(llmperf.__path__, "llmperf.") if not module.ispkg]
    shown = [name for name in found if not name.startswith(INTERNAL) and "._" not in name]
    return sorted(shown, key=lambda name: (_stage(name), name))


def _stage(name: str) -> int:
    part = name.split(".")[1]
    return STAGES.index(part) if part in STAGES else -1


def path(name: str) -> str:
    """Where the page of a module lies."""
    return f"reference/modules/{name}.md"


def pages() -> Iterator[Page]:
    """A page for each module."""
    for name in names():
        yield page(path(name), name.removeprefix("llmperf."), f"::: {name}")
