"""Names of the package in a text, such as `llmperf.costs.gemm.time`, as links to their reference."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"<code>(?P<name>llmperf(?:\.\w+)+)</code>(?!</a>|</autoref>)")


def linked(page: str, modules: Mapping[str, str]) -> str:
    """The page with every name of the package linked where it has a reference.

    Parameters
    ----------
    page : str
        HTML.
    modules : mapping of str to str
        Module -> address of its page; what is in a module has an anchor that MkDocs resolves.
    """

    def link(found: re.Match[str]) -> str:
        name = found["name"]
        if name in modules:
            return f'<a href="{modules[name]}">{found[0]}</a>'
        return f'<autoref optional identifier="{name}">{found[0]}</autoref>'

    return _NAME.sub(link, page)


def named(text: str) -> list[str]:
    """Names of the package in a Markdown text; ``llmperf.lock.yaml`` is a file."""
    return [name for name in re.findall(r"`(llmperf(?:\.\w+)+)`", text) if not name.endswith(".yaml")]
