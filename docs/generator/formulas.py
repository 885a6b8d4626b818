"""Formulas: LaTeX in the source, MathML in the page, which browsers draw without a script."""

from __future__ import annotations

import html
import re
from functools import cache

from latex2mathml.converter import convert

_FORMULA = re.compile(
    r'<(?P<tag>div|span) class="arithmatex">\\(?P<open>[(\[])(?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def rendered(page: str) -> str:
    """The page with every formula as MathML."""
    return _FORMULA.sub(_mathml, page)


def _mathml(found: re.Match[str]) -> str:
    tag, latex = found["tag"], html.unescape(found["latex"]).strip()
    drawn = _converted(latex, "block" if found["open"] == "[" else "inline")
    return f'<{tag} class="formula">{drawn}</{tag}>'


@cache
def _converted(latex: str, display: str) -> str:
    return str(convert(latex, display=display))
