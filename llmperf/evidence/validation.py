"""Validation as a command: rows, summaries and verdicts as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.evidence.claims import recompute as claims_module
from llmperf.evidence.claims.recompute import Claim
from llmperf.evidence.rows import Rows, Summary, summary
from llmperf.evidence.validate import validate


@dataclass(slots=True)
class Validation:
    """What was recomputed, and what a gate says of it."""

    rows: list[Rows] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def summaries(self) -> list[Summary]:
        """Errors of every data set by group and metric, then over all groups."""
        return [part for rows in self.rows for part in summary(rows)]


def run(
    data: Sequence[Path] | None,
    claims: Sequence[Path] | None,
    *,
    dataset: str | None = None,
    catalog: tuple[str, ...] = (),
    categories: Sequence[str] | None = None,
    max_error: float | None = None,
    no_bound_violations: bool = False,
    progress: Any = None,
) -> Validation:
    """Recompute measured data and published claims.

    Parameters
    ----------
    data, claims : sequence of Path, or None
        Files or directories; empty: what ships; None: none. With both None, everything that ships.
    dataset : str, optional
        Format of the data files.
    catalog : tuple of str
        Directories of descriptors, for claims.
    categories : sequence of str, optional
        Only claims of systems of these.
    max_error : float, optional
        Largest median error of any group and metric, and of a gated claim beside its tolerance. [1]
    no_bound_violations : bool
        Whether a row that beats the bound, and whose note does not say why, is a failure.
    progress : callable, optional
        Called with the files done and in all.

    Raises
    ------
    InputError
        With the faults of all files.
    """
    out = Validation()
    everything = data is None and claims is None
    if data is not None or everything:
        out.rows = validate(data or (), dataset, progress)
    if claims is not None or everything:
        out.claims = claims_module.evaluate(list(claims) if claims else None, catalog, categories)
    gated = max_error is not None or no_bound_violations
    if gated and data is not None and not any(len(rows.ids) for rows in out.rows):
        out.failures.append("none of the rows can be expressed: there is nothing that the limits hold for")
    if max_error is not None:
        for part in out.summaries:
            error = math.expm1(part.median_abs_log)
            if error > max_error:
                name = f"{part.dataset}, {part.group}, {part.metric}"
                out.failures.append(f"{name}: median error {error:.1%} of {part.n} rows is above {max_error:.1%}")
        out.failures += [
            f"{claim.id}: error {claim.error:+.1%} is beyond its tolerance"
            for claim in out.claims
            if claim.verdict == "fail" and claim.error is not None and abs(claim.error) > max_error
        ]
    if no_bound_violations:
        for rows in out.rows:
            out.failures += [
                f"{rows.ids[index]}: {rows.metrics[index]} {rows.measured[index]:.4g} beats the bound "
                f"{rows.bound[index]:.4g}"
                for index in np.flatnonzero(rows.unexplained)
            ]
    return out
