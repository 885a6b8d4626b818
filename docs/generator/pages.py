"""All generated pages."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from generator import catalog, commands, modules, schemas
from generator.markup import Page

ROOT = Path(__file__).resolve().parents[2]


def pages() -> Iterator[Page]:
    """The catalog, the references, the changelog."""
    yield from chain(catalog.pages(), commands.pages(), schemas.pages(), modules.pages())
    yield Page("changelog.md", (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "]("))
