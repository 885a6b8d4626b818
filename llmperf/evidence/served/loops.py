"""Continuous batching at a fixed concurrency: measured configurations as closed loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.served.scenarios import Asked, Case, asked
from llmperf.numeric import Array, least, most
from llmperf.phases.serving.loop import closed_loop, room
from llmperf.phases.serving.span import fastest_round

LOOSEST: dict[str, Any] = {
    "utilization": 1.0,
    "memory_fraction_of": "total",
    "profiles": False,
    "logit_bytes": 0.0,
    "context_memory": 0.0,
    "communication_memory": 0.0,
    "graph_sizes": 0.0,
    "token_budget": 256,
    "kv_block": 1,
    "max_sequences": None,
}
"""An engine that gives all memory to weights and KV cache: the concurrency that no other exceeds."""


@dataclass(slots=True)
class Loops:
    """Results of loops, one entry each.

    Attributes
    ----------
    cases : list of Case
        As asked; the `batch` of a case is the concurrency that is wanted (inf: as much as fits).
    asked : Asked
        What is known of them, and why a case has no answer.
    concurrency, most : ndarray
        Sequences at once as projected, and as memory allows at most. [1]
    ttft, tpot, e2e : ndarray
        To the first token, between tokens, prompts of others included, and from the prompt to the last token,
        projected. [s]
    bound_ttft, bound_tpot, bound_cycle : ndarray
        Least time to the first token, and between tokens; least time in which `most` sequences are served once. [s]
    """

    cases: list[Case]
    asked: Asked
    concurrency: Array
    most: Array
    ttft: Array
    tpot: Array
    e2e: Array
    bound_ttft: Array
    bound_tpot: Array
    bound_cycle: Array

    @property
    def faults(self) -> list[str]:
        """Why a case has no answer; empty where it has one."""
        return self.asked.faults

    def metric(self, name: str, i: int, bound: bool = False) -> float:
        """One result: `ttft_mean_s`, `tpot_s`, or tokens a second of all sequences."""
        case = self.cases[i]
        if name == "ttft_mean_s":
            return float(self.bound_ttft[i] if bound else self.ttft[i])
        if name == "tpot_s":
            return float(self.bound_tpot[i] if bound else self.tpot[i])
        tokens = case.output + (case.input if name == "total_tokens_per_s" else 0.0)
        if bound:
            return float(self.most[i] * tokens / self.bound_cycle[i])
        return float(self.concurrency[i] * tokens / self.e2e[i])


COLUMNS = ("concurrency", "most", "ttft", "tpot", "e2e", "bound_ttft", "bound_tpot", "bound_cycle")


def loops(cases: Sequence[Case]) -> Loops:
    """Evaluate closed loops (`llmperf.phases.serving.loop`)."""
    wanted = np.array([case.batch for case in cases])
    sent = np.array([case.sent for case in cases])

    def ask(scenario: Scenario, places: NDArray[np.intp]) -> Mapping[str, Any]:
        loop = closed_loop(scenario, wanted[places], sent[places])
        loosest = replace(scenario, engine=replace(scenario.engine, **LOOSEST))
        many = most(least(wanted[places], room(loosest)), loop.in_flight)
        return {
            "concurrency": loop.in_flight,
            "room": loop.room,
            "most": many,
            "ttft": loop.request.ttft + loop.wait.mean,
            "tpot": loop.request.token,
            "e2e": loop.request.e2e,
            "bound_ttft": loop.alone.parts["bound"].ttft_s,
            "bound_tpot": loop.request.crowd.phases["decode"].bound,
            "bound_cycle": fastest_round(loosest, many).bound,
        }

    found = asked([replace(case, batch=1.0) for case in cases], ask)
    for i in np.flatnonzero(found.column("room") < 1.0):
        found.faults[i] = "the weights do not fit"
    return Loops(list(cases), found, *(found.column(name) for name in COLUMNS))
