"""Published results as words: what a claim says and what was predicted, and how many claims of a category hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from llmperf.evidence.claims.files import APART, CATEGORIES, TOLERANCES
from llmperf.evidence.claims.recompute import Claim, counts
from llmperf.evidence.claims.recompute import share as inside_tolerance
from llmperf.outputs import BOOLEANS, dimension
from llmperf.words.quantities import count, quantity, share

_DIGITS = 4
"""As published numbers have them: what is said of a claim must tell it from its prediction."""

HEAD = ("category", "tier", "claims", "pass", "fail", "not gated", "apart", "not expressible", "inside tolerance")
"""Columns of `standing`; `apart`: in sample, or the claim is its own knob."""


def claimed(claim: Claim) -> str:
    """The published number, range, direction or truth, with its unit."""
    if claim.metric in BOOLEANS:
        return _truth(claim.published)
    if isinstance(claim.published, tuple):
        return " to ".join(_number(claim, end) for end in claim.published)
    return claim.published if isinstance(claim.published, str) else _number(claim, claim.published)


def predicted(claim: Claim) -> str:
    """The prediction with its unit; a dash where there is none."""
    if claim.metric in BOOLEANS and claim.predicted is not None:
        return _truth(claim.predicted)
    return "-" if claim.predicted is None else _number(claim, claim.predicted)


def error(claim: Claim) -> str:
    """The error with its sign; a dash where there is none."""
    return "-" if claim.error is None else f"{100.0 * claim.error:+.0f} %"


def tolerance(claim: Claim) -> str:
    """The largest error that passes; a dash of a direction."""
    return "-" if claim.tolerance is None else f"{100.0 * claim.tolerance:.0f} %"


def name_of(standing: str) -> str:
    """A verdict, or a reason to count a claim apart, in words."""
    return standing.replace("_", " ")


def verdict(claim: Claim) -> str:
    """The verdict in words, and why the claim is counted apart."""
    said = name_of(claim.verdict)
    return f"{said} ({name_of(claim.apart)})" if claim.standing == claim.apart else said


def name(claim: Claim) -> str:
    """The claim's id without its system's name, which stands above it."""
    return claim.id.removeprefix(f"{claim.system}-")


def systems(claims: Iterable[Claim]) -> Iterator[tuple[str, list[Claim]]]:
    """The claims of each system, ordered by category and by name."""
    order = list(CATEGORIES)

    def place(claim: Claim) -> tuple[int, str]:
        return order.index(claim.category), claim.system

    for (_, system), found in groupby(sorted(claims, key=place), key=place):
        yield system, list(found)


def standing(claims: Sequence[Claim]) -> list[tuple[str, ...]]:
    """How the claims of each category and tier stand, then those of all categories: rows of `HEAD`."""
    rows = []
    for key, title in CATEGORIES.items():
        mine = [claim for claim in claims if claim.category == key]
        rows += [_row(title, tier, mine) for tier in TOLERANCES]
    if len({row[0] for row in rows if row[2] != "0"}) > 1:
        rows += [_row("all", tier, claims) for tier in TOLERANCES]
    return [row for row in rows if row[2] != "0"]


def _row(title: str, tier: str, claims: Iterable[Claim]) -> tuple[str, ...]:
    mine = [claim for claim in claims if claim.tier == tier]
    inside = inside_tolerance(mine)
    found = counts(mine)
    apart = sum(found.pop(name) for name in APART)
    passed, failed, ungated, open_ones = found.values()
    numbers = (len(mine), passed, failed, ungated, apart, open_ones)
    return title, tier, *map(str, numbers), "-" if math.isnan(inside) else share(inside, 0)


def _truth(value: object) -> str:
    return "true" if value else "false"


def _number(claim: Claim, value: float) -> str:
    kind = dimension(claim.metric)
    return count(value, _DIGITS) if kind == "fraction" else quantity(value, kind, _DIGITS)
