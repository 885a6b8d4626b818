"""Data sets about training, reinforcement learning and sequence parallelism: recognized, and said to be beyond reach.

A row of theirs is one training step or one collective between devices that are not named; each is listed with the
reason, so that nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.tables import DataTable

TRAINING = "a training step: no estimate of training in this version"
POST_TRAINING = "a step of reinforcement learning, training included: no estimate of training in this version"
NAMELESS = "a collective between devices that the source does not name"


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A data set as its module would be: its name, the columns it is recognized by, and its evaluation."""

    NAME: str
    COLUMNS: set[str]
    evaluate: Callable[[DataTable], Rows]


def _omitted(name: str, why: str) -> Callable[[DataTable], Rows]:
    def evaluate(table: DataTable) -> Rows:
        rows = Rows(name)
        rows.omit(unique(table.text("id") if "id" in table.columns else [f"line {n}" for n in table.lines]), why)
        return rows

    return evaluate


def _set(name: str, columns: set[str], why: str) -> OutOfReach:
    return OutOfReach(name, columns, _omitted(name, why))


SETS = (
    _set("training", {"zero_stage", "micro_batch", "global_batch", "recompute", "metric", "value"}, TRAINING),
    _set("vocab_parallel", {"vocab", "method", "mfu", "peak_mem_gb", "fwd_us_per_stage"}, TRAINING),
    _set("distflashattn", {"seq_per_gpu_k", "seq_total_k", "iter_s"}, TRAINING),
    _set("lasp2", {"sp", "tokens_per_s_total", "step_s_derived"}, TRAINING),
    _set("xtuner", {"sp_ulysses", "tokens_s_gpu", "tflops_gpu"}, TRAINING),
    _set("realhf", {"scaled_model_size", "throughput_pflops", "gen_len"}, POST_TRAINING),
    _set("rl_async", {"mode", "update_actor_s", "gen_s"}, POST_TRAINING),
    _set("rl_steps", {"Algorithm", "On/Off policy", "Total Step time(s)"}, POST_TRAINING),
    _set("galvatron", {"collective", "group_size", "message_MB"}, NAMELESS),
)
