"""Validation as one self-contained HTML page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.descriptors.catalog import write_atomically
from llmperf.errors import InputError, Problem
from llmperf.evidence.claims import said
from llmperf.evidence.rows import EXPLAINED, Rows
from llmperf.interfaces import published
from llmperf.interfaces.validation import Validation

MOST_POINTS = 5_000
"""Points of a scatter; of more rows, every so manieth is drawn."""
MOST_ROWS = 200
"""Rows that beat the bound, and reasons, that are listed."""

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
tr.all td { font-weight: 600 } .fail { color: #b00020 } .pass { color: #1b7f3b } nav a { margin-right: 1rem }
"""


def write(found: Validation, path: Path) -> None:
    """Write the page.

    Raises
    ------
    InputError
        If plotly is not installed, or the file cannot be written.
    """
    try:
        write_atomically(path, page(found))
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None


def page(found: Validation) -> str:
    """The page as HTML; everything that comes from files is escaped."""
    graphs, figure = _plotly()
    parts = [f"<section id='{escape(rows.dataset)}'>{_data(rows, found)}{_scatter(rows, graphs, figure)}</section>"
             for rows in found.rows]  # fmt: skip
    if found.claims:
        parts.append(f"<section id='claims'>{_claims(found)}</section>")
    names = [rows.dataset for rows in found.rows] + (["claims"] if found.claims else [])
    links = "".join(f"<a href='#{escape(name)}'>{escape(name)}</a>" for name in names)
    failures = "".join(f"<li class='fail'>{escape(line)}</li>" for line in found.failures[:MOST_ROWS])
    script = f"<script>{graphs.get_plotlyjs()}</script>" if any(len(rows) for rows in found.rows) else ""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>llmperf validate</title>"
        f"<style>{STYLE}</style>{script}</head><body><h1>Predicted beside measured</h1><nav>{links}</nav>"
        "<p>An error is projection / measured - 1; medians and 90th percentiles are of its size, the bias is its "
        "median with its sign. A row beats the bound by more than 2 % where that is counted.</p>"
        f"<ul>{failures}</ul>{''.join(parts)}</body></html>\n"
    )


def _plotly() -> tuple[Any, Any]:
    try:
        from plotly import graph_objects, offline
    except ImportError:
        text = "the page needs plotly"
        raise InputError(Problem(text, "--html", suggestion="pip install 'llmperf[report]'")) from None
    return offline, graph_objects


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], classes: Iterable[str] = ()) -> str:
    named = list(classes)
    body = [
        f"<tr class='{named[index] if named else ''}'>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for index, row in enumerate(rows)
    ]
    columns = "".join(f"<th>{escape(column)}</th>" for column in head)
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _percent(value: float, signed: bool = False) -> str:
    return f"{100.0 * math.expm1(min(value, 20.0)):{'+' if signed else ''}.1f} %"


def _data(rows: Rows, found: Validation) -> str:
    mine = [part for part in found.summaries if part.dataset == rows.dataset]
    head = ("group", "metric", "rows", "median error", "p90 error", "bias", "beat the bound")
    cells = [
        (
            escape(part.group),
            escape(part.metric),
            f"{part.n:,}",
            _percent(part.median_abs_log),
            _percent(part.p90_abs_log),
            _percent(part.bias_log, signed=True),
            str(part.bound_violations),
        )
        for part in mine
    ]
    out = f"<h2>{escape(rows.dataset)}</h2>"
    if mine:
        out += _table(head, cells, ["all" if part.group == "all groups" else "" for part in mine])
    return out + _beaten(rows) + _omitted(rows)


def _beaten(rows: Rows) -> str:
    index = np.flatnonzero(rows.violations)
    if not len(index):
        return ""
    cells = [
        (
            escape(rows.ids[i]),
            escape(rows.metrics[i]),
            f"{rows.measured[i]:.4g}",
            f"{rows.bound[i]:.4g}",
            escape("no explanation" if rows.unexplained[i] else rows.notes[i].removeprefix(EXPLAINED)),
        )
        for i in index[:MOST_ROWS]
    ]
    head = ("row", "metric", "measured", "bound", "explanation")
    return f"<h3>{len(index)} rows beat the bound</h3>" + _table(head, cells)


def _omitted(rows: Rows) -> str:
    items = "".join(f"<li>{number} x {escape(why)}</li>" for why, number in rows.missing()[:MOST_ROWS])
    whole = len(rows.omitted) + len(rows)
    return f"<h3>{len(rows.omitted)} of {whole} rows are not expressible</h3><ul>{items}</ul>" if items else ""


def _scatter(rows: Rows, offline: Any, figures: Any) -> str:
    """Measured against projected times and rates, with the diagonal and 20 % beside it."""
    if not len(rows):
        return ""
    stride = -(-len(rows) // MOST_POINTS)
    chosen = np.arange(0, len(rows), stride)
    figure = figures.Figure()
    for metric in dict.fromkeys(rows.metrics):
        index = [i for i in chosen if rows.metrics[i] == metric]
        figure.add_scattergl(
            x=rows.measured[index],
            y=rows.projection[index],
            mode="markers",
            marker={"size": 4, "opacity": 0.6},
            name=escape(metric),
            text=[escape(rows.ids[i]) for i in index],
        )
    ends = [float(rows.measured.min()), float(rows.measured.max())]
    for factor, dash in ((1.0, "solid"), (1.2, "dot"), (1 / 1.2, "dot")):
        line = {"dash": dash, "color": "#777", "width": 1}
        figure.add_scatter(x=ends, y=[end * factor for end in ends], mode="lines", line=line, showlegend=False)
    thinned = "" if stride == 1 else f" (one in {stride} rows)"
    figure.update_layout(
        title=f"projection against measured{thinned}; dotted: 20 %",
        template="plotly_white",
        height=520,
        xaxis={"type": "log", "title": "measured"},
        yaxis={"type": "log", "title": "projection"},
    )
    return str(offline.plot(figure, include_plotlyjs=False, output_type="div"))


def _claims(found: Validation) -> str:
    cells = [
        (
            escape(claim.id),
            escape(claim.metric),
            escape(claim.tier),
            escape(published.claimed(claim)),
            escape(published.predicted(claim)),
            escape(published.error(claim)),
            f"<span class='{claim.verdict}'>{escape(published.verdict(claim))}</span>",
        )
        for _, mine in published.systems(found.claims)
        for claim in mine
        if claim.verdict != "not_expressible"
    ]
    reasons = Counter(claim.why for claim in found.claims if claim.verdict == "not_expressible")
    items = "".join(f"<li>{number} x {escape(why)}</li>" for why, number in reasons.most_common(MOST_ROWS))
    head = ("claim", "metric", "tier", "published", "predicted", "error", "verdict")
    verdicts = escape(said(found.claims)) + _table(published.HEAD, published.standing(found.claims))
    return f"<h2>Published results</h2><p>{verdicts}</p>{_table(head, cells)}<h3>Not expressible</h3><ul>{items}</ul>"
