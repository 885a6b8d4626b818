"""Prompt and token times of Llama-2-70B on 8-GPU A100 and H100 machines (Splitwise, arXiv:2311.18677, its data set)."""

from __future__ import annotations

import numpy as np

from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.served.scenarios import Case, answers, gathered, repeated
from llmperf.evidence.tables import DataTable

NAME = "splitwise"
COLUMNS = {"prompt_size", "batch_size", "token_size", "prompt_time", "token_time", "tensor_parallel"}

HARDWARE = {"a100-80gb": "hgx-a100", "h100-80gb": "dgx-h100"}
"""The machines: 8 GPUs with NVSwitch."""
ENGINE = "vllm-2023"
KEY = ("model", "hardware", "prompt_size", "batch_size", "token_size", "tensor_parallel")
METRICS = (("prompt_time", "ttft_s", "prefill"), ("token_time", "tpot_s", "decode"))


def evaluate(table: DataTable) -> Rows:
    """Prompt times as `ttft_s` and token times as `tpot_s`, the median of repeated configurations.

    Raises
    ------
    InputError
        If the table lacks a column, or holds what is no number.
    """
    table.require((*KEY, "prompt_time", "token_time"))
    numbers = {name: table.numbers(name) for name in (*KEY[2:], "prompt_time", "token_time")}
    table.check()
    rows = Rows(NAME)
    places = gathered("|".join(key) for key in zip(*(table.text(name) for name in KEY), strict=True))
    ids = unique([f"{key.replace('|', '-')}" for key in places])
    cases, kept = [], []
    for name, found in zip(ids, places.values(), strict=True):
        first = found[0]
        machine = table.text("hardware")[first]
        invalid = numbers["tensor_parallel"][first] == 2 and numbers["batch_size"][first] >= 64
        if machine not in HARDWARE:
            rows.omit([name], f"unknown hardware {machine!r}; known are {', '.join(HARDWARE)}")
        elif invalid:
            rows.omit([name], "TP 2 at batch 64 is invalid in the source")
        else:
            kept.append((name, machine, found))
            cases.append(
                Case(
                    {
                        "model": table.text("model")[first].replace("llama2", "llama-2"),
                        "hardware": HARDWARE[machine],
                        "parallelism": {"tp": int(numbers["tensor_parallel"][first])},
                        "engine": ENGINE,
                    },
                    *(numbers[column][first] for column in ("batch_size", "prompt_size", "token_size")),
                )
            )
    found_answers = answers(cases)
    for (name, _, _), fault in zip(kept, found_answers.faults, strict=True):
        if fault:
            rows.omit([name], fault)
    index = np.flatnonzero(found_answers.known)
    for column, metric, phase in METRICS:
        about = found_answers.subjects(phase)
        rows.extend(
            ids=[kept[i][0] for i in index],
            metric=metric,
            groups=[kept[i][1] for i in index],
            measured=np.array([np.median(numbers[column][kept[i][2]]) * 1e-3 for i in index]),
            bound=found_answers.bound[metric][index],
            projection=found_answers.projection[metric][index],
            notes=[repeated(table, kept[i][2]) for i in index],
            sources=["Splitwise"] * len(index),
            subjects=[about[i] for i in index],
        )
    return rows
