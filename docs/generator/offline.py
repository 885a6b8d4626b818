"""Whether a built site stands alone: nothing is fetched from elsewhere, and every link inside leads somewhere.

``python docs/generator/offline.py site``. What scripts of the theme could fetch is not looked at: its bundle names
servers for diagrams (no page has one), for repositories (none is configured) and for browsers of before 2020.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

_TAG = re.compile(r"<(?P<name>script|img|link|iframe|source|video|audio|embed|object|use|image|a)\b(?P<rest>[^>]*)>")
_ADDRESS = re.compile(r'\b(?P<key>src|srcset|href|data|poster)="(?P<value>[^"]*)"')
_STYLE = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(?P<value>(?:https?:)?//[^'\")\s]+)")
_IDS = re.compile(r'\b(?:id|name)="([^"]+)"')
_ELSEWHERE = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
_SCHEME = re.compile(r"(?:mailto|data|javascript):")
_PASSIVE = ("canonical", "prev", "next", "alternate")
"""Links of a head that no browser follows by itself."""


def faults(site: Path) -> list[str]:
    """What a site fetches from elsewhere, and links of it that lead nowhere."""
    found = [
        f"{path.relative_to(site)}: fetches {style['value']}"
        for path in sorted(site.rglob("*.css"))
        for style in _STYLE.finditer(path.read_text("utf-8"))
    ]
    for path in sorted(site.rglob("*.html")):
        found += [f"{path.relative_to(site)}: {fault}" for fault in _of_page(path)]
    return found


def _of_page(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    if 'class="mermaid"' in text:
        yield "has a diagram, for which the theme fetches a script"
    yield from (f"fetches {style['value']}" for style in _STYLE.finditer(text))
    for tag in _TAG.finditer(text):
        for address in _ADDRESS.finditer(tag["rest"]):
            value = html.unescape(address["value"])
            if _ELSEWHERE.match(value):
                if tag["name"] != "a" and not any(f'rel="{rel}"' in tag["rest"] for rel in _PASSIVE):
                    yield f"fetches {value}"
            elif not _SCHEME.match(value) and path.name != "404.html" and not _leads(path, value):
                yield f"leads nowhere: {value}"


def _leads(path: Path, value: str) -> bool:
    place, _, anchor = value.partition("#")
    target = (path.parent / unquote(place.partition("?")[0])).resolve() if place else path.resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return False
    return not anchor or target.suffix != ".html" or unquote(anchor) in _anchors(target)


@cache
def _anchors(path: Path) -> frozenset[str]:
    return frozenset(html.unescape(name) for name in _IDS.findall(path.read_text("utf-8")))


def main() -> int:
    """Print the faults of the site that the command line names."""
    site = Path(sys.argv[1])
    found = faults(site)
    print("\n".join(found) if found else f"{sum(1 for _ in site.rglob('*.html'))} pages stand alone")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
