"""The page of published results: what ``llmperf validate --shipped claims --markdown`` writes."""

from __future__ import annotations

from collections.abc import Sequence

from llmperf.evidence.claims.files import CATEGORIES, MECHANISMS
from llmperf.evidence.claims.recompute import Claim, missing, said, waiting
from llmperf.interfaces.report.markdown import line, table
from llmperf.words import claims as published

HEAD = """# Published results, one by one

What systems have published about themselves, beside what is predicted of the same scenario. This page is written by

    llmperf validate --shipped claims --markdown docs/published.md --force

from the files in `workloads/published/`; no number in it is typed, and no knob is moved to make one agree. An error is
`predicted / published - 1`, of a range to its nearest end. [Claims](claims.md) says what tiers and verdicts mean;
*inside tolerance* is the share of the claims that pass or fail; *apart* are those that say little of it: constants were
fitted on them (in sample), or they are a knob of their own scenario (tautology).
"""
COLUMNS = ("claim", "tier", "metric", "published", "predicted", "error", "tolerance", "verdict", "provenance")


def markdown(claims: Sequence[Claim]) -> str:
    """The page."""
    parts = [HEAD, _overview(claims)]
    category = None
    for _, mine in published.systems(claims):
        if mine[0].category != category:
            category = mine[0].category
            parts.append(f"## {CATEGORIES[category]}\n")
        parts.append(_system(mine))
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _overview(claims: Sequence[Claim]) -> str:
    number = len({claim.system for claim in claims})
    lines = ["## Overview", "", f"{len(claims)} claims of {number} systems: {said(claims)}.", ""]
    lines += table(published.HEAD, published.standing(claims))
    wanted = missing(claims)
    if wanted:
        lines += ["", "Claims that cannot be expressed yet wait for these mechanisms, some for several:", ""]
        rows = [
            (name, MECHANISMS.get(name, "-"), str(number), str(len(waiting(claims, [name], alone=True))))
            for name, number in wanted.items()
        ]
        lines += table(("mechanism", "what it is", "claims", "for it alone"), rows)
    return "\n".join(lines) + "\n"


def _system(mine: Sequence[Claim]) -> str:
    source = mine[0].source
    lines = [f"### {mine[0].system}", "", f"[{source.title}]({source.url}), {source.year}.", ""]
    lines += [line(*COLUMNS), line(*["---"] * len(COLUMNS))]
    for claim in mine:
        verdict = published.verdict(claim)
        if claim.verdict == "not_expressible":
            verdict = f"{verdict}: {claim.why}"
        cells = (published.claimed, published.predicted, published.error, published.tolerance)
        shown = (cell(claim) for cell in cells)
        lines.append(line(published.name(claim), claim.tier, f"`{claim.metric}`", *shown, verdict, claim.provenance))
    return "\n".join(lines) + "\n"
