"""Continuous batching at a fixed concurrency, in closed form: a sequence that ends makes room for the next prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.evidence.served.scenarios import Answers, Case, answers
from llmperf.numeric import Array
from llmperf.phases.closed_loop import closed_loop

LOOSEST: dict[str, Any] = {
    "utilization": 1.0,
    "context_memory": 0,
    "graph_memory": 0,
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
    answers : Answers
        Static batches of the concurrency.
    concurrency, most : ndarray
        Sequences at once as projected, and as memory allows at most. [1]
    ttft, tpot : ndarray
        Time of one prompt, and between tokens, prompts of others included, projected. [s]
    bound_tpot, bound_cycle : ndarray
        Least time between tokens; least time in which `most` sequences are served once. [s]
    faults : list of str
        Why a case has no answer.
    """

    cases: list[Case]
    answers: Answers
    concurrency: Array
    most: Array
    ttft: Array
    tpot: Array
    bound_tpot: Array
    bound_cycle: Array
    faults: list[str]

    def metric(self, name: str, i: int, bound: bool = False) -> float:
        """One result: `tpot_s`, or tokens a second of all sequences."""
        case = self.cases[i]
        if name == "tpot_s":
            return float(self.bound_tpot[i] if bound else self.tpot[i])
        tokens = case.output + (case.input if name == "total_tokens_per_s" else 0.0)
        if bound:
            return float(self.most[i] * tokens / self.bound_cycle[i])
        return float(self.concurrency[i] * tokens / (self.ttft[i] + (case.output - 1.0) * self.tpot[i]))


def loops(cases: Sequence[Case]) -> Loops:
    """Evaluate closed loops.

    Notes
    -----
    Sequences are of all ages, so that on average half of their tokens are there. The decode step is that of a static
    batch of the concurrency. As many prompts join a step of a data-parallel rank as end in one, ``concurrency /
    output``, at least one; what they add to it is a prompt's share. In the bound, prompts and decode steps may use
    different resources at once: the longer of both counts.
    """
    wanted, output = (np.array([getattr(case, name) for case in cases]) for name in ("batch", "output"))
    at_once = _concurrency(cases, wanted)
    faults = ["" if count >= 1.0 else "the weights do not fit" for count in at_once]
    at_once = np.where(at_once >= 1.0, at_once, 1.0)
    ranks = np.array([float(case.scenario.get("parallelism", {}).get("dp", 1)) for case in cases])
    joining = np.maximum(np.ceil(at_once / ranks / output), 1.0)
    step = answers(_with(cases, at_once, joining))
    alone = answers(_with(cases, ranks, output=1.0)).projection["ttft_s"]
    decode = np.nan_to_num(step.projection["tpot_s"])
    loosest = [Case({**case.scenario, "engine": _loosest(case)}, 1.0, case.input, case.output) for case in cases]
    most = np.maximum(_concurrency(loosest, wanted), at_once)
    fastest = answers(_with(loosest, most)).bound
    bound_step = np.nan_to_num(fastest["tpot_s"])
    return Loops(
        list(cases),
        step,
        at_once,
        most,
        alone,
        np.asarray(closed_loop(at_once / ranks, decode, np.nan_to_num(step.prompt), output)),
        np.nan_to_num(step.bound["tpot_s"]),
        np.maximum(fastest["ttft_s"], (output - 1.0) * bound_step),
        [fault or own for fault, own in zip(step.faults, faults, strict=True)],
    )


def _concurrency(cases: Sequence[Case], wanted: Array) -> Array:
    """Sequences at once: as wanted, but not more than fit when they are half done; 0 where none does."""
    half = [Case(case.scenario, 1.0, case.input, max(round(case.output / 2), 1)) for case in cases]
    room = np.nan_to_num(answers(half).max_batch)
    return np.asarray(np.minimum(wanted, np.floor(room)))


def _loosest(case: Case) -> dict[str, Any]:
    engine = case.scenario.get("engine", "generic")
    return {**({"extends": engine} if isinstance(engine, str) else engine), **LOOSEST}


def _with(
    cases: Sequence[Case], batches: Array, joining: Array | None = None, output: float | None = None
) -> list[Case]:
    return [
        replace(
            case,
            batch=float(batches[i]),
            prompts=0.0 if joining is None else float(joining[i]),
            output=case.output if output is None else output,
        )
        for i, case in enumerate(cases)
    ]
