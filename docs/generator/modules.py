"""The reference of the package: its rooms in the order of their imports, and a page for each module."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import llmperf
from generator.markup import Html, Page, cell, code, link, page, table
from llmperf.files import toml

ROOT = Path(__file__).resolve().parents[2]
INTERNAL = ("llmperf.interfaces.cli", "llmperf.interfaces.console", "llmperf.interfaces.report")
"""What has no reference: the command line has one of its own."""


@cache
def staircase() -> list[list[str]]:
    """Rooms and single files of the package from the ground up: each step may import those before it.

    It is the contract of imports, as ``pyproject.toml`` has it.
    """
    project = ROOT / "pyproject.toml"
    contracts = toml.parse(project.read_bytes(), str(project)).data["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().removeprefix("llmperf.") for name in layer.split("|")] for layer in reversed(layers)]


@cache
def names() -> list[str]:
    """Modules that have a page, in the order of the staircase."""
    found = [module.name for module in pkgutil.walk_packages(llmperf.__path__, "llmperf.") if not module.ispkg]
    shown = [name for name in found if not name.startswith(INTERNAL) and "._" not in name]
    return sorted(shown, key=lambda name: (_step(name), name))


def _step(name: str) -> int:
    part = name.split(".")[1]
    return next(step for step, rooms in enumerate(staircase()) if part in rooms)


def path(name: str) -> str:
    """Where the page of a module lies."""
    return f"reference/modules/{name}.md"


def pages() -> Iterator[Page]:
    """The rooms, and a page for each module."""
    yield page("reference/rooms.md", "Rooms", _ORDER, table(("room", "what is in it", "modules"), _rooms()))
    for name in names():
        yield page(path(name), name.removeprefix("llmperf."), f"::: {name}")


_ORDER = (
    "The package from the ground up. A room imports what stands above it in this table and nothing below, and no two "
    "modules of a room import each other in a ring: `make lint` refuses what does."
)


def _rooms() -> Iterator[tuple[Html, str, Html]]:
    for room in (room for step in staircase() for room in step):
        documented = (import_module(f"llmperf.{room}").__doc__ or "").strip()
        inside = [name for name in names() if f"{name}.".startswith(f"llmperf.{room}.")]
        links = [cell(link(name.removeprefix(f"llmperf.{room}."), _built(name))) for name in inside]
        yield code(room), documented.split("\n\n")[0].replace("`", ""), Html(", ".join(links))


def _built(name: str) -> str:
    return path(name).removeprefix("reference/").removesuffix(".md") + ".html"
