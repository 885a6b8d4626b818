"""Continuous batching at a fixed concurrency, in closed form: a sequence that ends makes room for the next prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from llmperf.evidence.served.scenarios import Answers, Case, answers
from llmperf.numeric import Array
from llmperf.phases.closed_loop import closed_loop


@dataclass(frozen=True, slots=True)
class Loop:
    """A case whose `batch` is the concurrency asked for (inf: as much as fits)."""

    case: Case


@dataclass(slots=True)
class Loops:
    """Results of loops, one entry each; times in seconds."""

    cases: list[Case]
    answers: Answers
    concurrency: Array
    ttft: Array
    tpot: Array
    bound_tpot: Array
    bound_cycle: Array
    faults: list[str] = field(default_factory=list)

    def metric(self, name: str, i: int, bound: bool = False) -> float:
        """One result: `tpot_s`, or tokens a second of all sequences."""
        case, at_once = self.cases[i], self.concurrency[i]
        if name == "tpot_s":
            return float(self.bound_tpot[i] if bound else self.tpot[i])
        tokens = case.output + (case.input if name == "total_tokens_per_s" else 0.0)
        cycle = self.bound_cycle[i] if bound else self.ttft[i] + (case.output - 1.0) * self.tpot[i]
        return float(at_once * tokens / cycle)


def loops(asked: Sequence[Loop]) -> Loops:
    """Evaluate closed loops.

    Notes
    -----
    The step is that of a static batch of the concurrency. A prompt adds its share of a step of as many prompts as
    arrive in one step: ``concurrency / output`` of them, at least one.
    """
    cases = [loop.case for loop in asked]
    wanted = np.array([case.batch for case in cases])
    first = answers([_with(case, 1.0) for case in cases])
    # sequences are of all ages: on average half of their tokens are there
    room = answers([Case(case.scenario, 1.0, case.input, max(round(case.output / 2), 1)) for case in cases]).max_batch
    with np.errstate(invalid="ignore"):
        at_once = np.minimum(wanted, np.maximum(np.floor(room), 0.0))
    faults = [
        fault or ("" if count >= 1.0 else "the weights do not fit")
        for fault, count in zip(first.faults, at_once, strict=True)
    ]
    safe = np.where(np.isfinite(at_once) & (at_once >= 1.0), at_once, 1.0)
    step = answers([_with(case, count) for case, count in zip(cases, safe, strict=True)])
    output = np.array([case.output for case in cases])
    together = np.maximum(np.ceil(safe / output), 1.0)
    prompts = answers([Case(case.scenario, float(n), case.input, 1.0) for case, n in zip(cases, together, strict=True)])
    prompt = prompts.projection["ttft_s"] / together
    decode = np.where(output > 1.0, np.nan_to_num(step.projection["tpot_s"]), 0.0)
    tpot = closed_loop(safe, decode, prompt, output)
    bound_step = np.nan_to_num(step.bound["tpot_s"])
    return Loops(
        cases,
        step,
        safe,
        prompts.projection["ttft_s"],
        np.asarray(tpot),
        bound_step,
        np.maximum(step.bound["ttft_s"], (output - 1.0) * bound_step),
        faults,
    )


def _with(case: Case, batch: float) -> Case:
    return Case(case.scenario, float(batch), case.input, case.output)
