"""The navigation: written in mkdocs.yml, with patterns for pages that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any


def expanded(nav: list[Any], files: list[str]) -> list[Any]:
    """The navigation with every pattern replaced by the files that it matches and that no entry names.

    Names of pages that are not there are left out, so that a page may come later than its place.
    """
    named = {entry for entry in _leaves(nav) if "*" not in entry}
    return _expanded(nav, [file for file in files if file not in named], set(files))


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for inner in nav.values():
            yield from _leaves(inner)
    else:
        for inner in nav:
            yield from _leaves(inner)


def _expanded(nav: list[Any], free: list[str], existing: set[str]) -> list[Any]:
    out: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            inside = _expanded(inner if isinstance(inner, list) else [inner], free, existing)
            out += [{title: inside}] if inside else []
        elif "*" in entry:
            out += [file for file in free if fnmatchcase(file, entry) and file.count("/") == entry.count("/")]
        elif entry in existing:
            out.append(entry)
    return out
