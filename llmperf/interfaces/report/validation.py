"""Validation as one self-contained HTML page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from llmperf.evidence.claims.recompute import Claim, said
from llmperf.evidence.rows import EXPLAINED, Rows
from llmperf.evidence.validation import Validation
from llmperf.interfaces.figures import error
from llmperf.interfaces.figures.drawing import Drawing, require
from llmperf.interfaces.report import page as shell
from llmperf.interfaces.report.html import Html, h, items, table
from llmperf.interfaces.report.page import Page, Section
from llmperf.version import __version__

MOST_ROWS = 200
"""Rows that beat the bound, and reasons, that are listed."""
INTRODUCTION = (
    "An error is projection / measured - 1; medians and 90th percentiles are of its size, the bias is its median with "
    "its sign. A row beats the bound by more than 2 % where that is counted."
)


def write(found: Validation, path: Path) -> None:
    """Write the page.

    Raises
    ------
    InputError
        If plotly is not installed, or the file cannot be written.
    """
    shell.write(path, page(found))


def page(found: Validation) -> str:
    """The page as HTML; everything that comes from files is escaped."""
    require("--html")
    sections = [Section(rows.dataset, rows.dataset, list(of_data(rows, found))) for rows in found.rows]
    if found.claims:
        sections.append(Section("claims", "Published results", list(of_claims(found.claims))))
    failures = items(h("span", line, class_="fail") for line in found.failures[:MOST_ROWS])
    lead = h("section", h("p", INTRODUCTION), failures, aria_label="Introduction")
    return shell.document(Page("Predicted beside measured", f"llmperf {__version__}", sections, lead=lead))


def of_data(rows: Rows, found: Validation) -> Iterator[Html | Drawing | None]:
    """A data set: its errors by group, rows that beat the bound, what is left out, and the scatter."""
    mine = [part for part in found.summaries if part.dataset == rows.dataset]
    if mine:
        head = ("group", "metric", "rows", "median error", "p90 error", "bias", "beat the bound")
        cells = [
            (
                part.group,
                part.metric,
                f"{part.n:,}",
                _percent(part.median_abs_log),
                _percent(part.p90_abs_log),
                _percent(part.bias_log, signed=True),
                str(part.bound_violations),
            )
            for part in mine
        ]
        yield table(head, cells, text=2, strong=[part.group == "all groups" for part in mine])
    yield from _beaten(rows)
    yield from _omitted(rows)
    if len(rows):
        yield error.scatter(
            f"scatter-{rows.dataset}", f"Projection against measured: {rows.dataset}", error.pairs([rows])
        )


def _percent(value: float, signed: bool = False) -> str:
    return f"{100.0 * math.expm1(min(value, 20.0)):{'+' if signed else ''}.1f} %"


def _beaten(rows: Rows) -> Iterator[Html]:
    index = np.flatnonzero(rows.violations)
    if not len(index):
        return
    silent = rows.unexplained
    cells = [
        (
            rows.ids[i],
            rows.metrics[i],
            f"{rows.measured[i]:.4g}",
            f"{rows.bound[i]:.4g}",
            "no explanation" if silent[i] else rows.notes[i].removeprefix(EXPLAINED),
        )
        for i in index[:MOST_ROWS]
    ]
    yield h("h3", f"{len(index)} rows beat the bound")
    yield table(("row", "metric", "measured", "bound", "explanation"), cells, text=2)


def _omitted(rows: Rows) -> Iterator[Html | None]:
    if not rows.omitted:
        return
    yield h("h3", f"{len(rows.omitted)} of {len(rows.omitted) + len(rows)} rows are not expressible")
    yield items(f"{number} x {why}" for why, number in rows.missing()[:MOST_ROWS])


def of_claims(claims: list[Claim]) -> Iterator[Html | None]:
    """Published results with their verdicts, and why others are not expressible."""
    yield h("p", said(claims))
    head = ("claim", "metric", "published", "predicted", "error", "verdict")
    yield table(head, [_claim(one) for one in claims if one.verdict in ("pass", "fail", "not_gated")], text=2)
    reasons = Counter(claim.why for claim in claims if claim.verdict == "not_expressible")
    yield h("h3", "Not expressible")
    yield items(f"{number} x {why}" for why, number in reasons.most_common(MOST_ROWS))


def _claim(claim: Claim) -> tuple[object, ...]:
    published = claim.published
    if isinstance(published, tuple):
        shown = f"{published[0]:.4g} to {published[1]:.4g}"
    else:
        shown = published if isinstance(published, str) else f"{published:.4g}"
    return (
        claim.id,
        claim.metric,
        shown,
        "-" if claim.predicted is None else f"{claim.predicted:.4g}",
        "-" if claim.error is None else f"{100.0 * claim.error:+.0f} %",
        h("span", claim.verdict.replace("_", " "), class_=claim.verdict),
    )
