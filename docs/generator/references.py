"""Names of the package in a text, such as `llmperf.costs.gemm.time`, as links to their reference."""

from __future__ import annotations

import re

_NAME = re.compile(r"<code>(?P<name>llmperf(?:\.\w+)+)</code>(?!</a>|</autoref>)")


def linked(page: str) -> str:
    """The page with every name of the package linked where it has a reference."""
    return _NAME.sub(r'<autoref optional identifier="\g<name>">\g<0></autoref>', page)


def named(text: str) -> list[str]:
    """Names of the package in a Markdown text."""
    return re.findall(r"`(llmperf(?:\.\w+)+)`", text)
