"""Closed forms of papers that publish no figure to recompute: the model has each of them somewhere."""

from __future__ import annotations

from typing import Any

import pytest

from llmperf.answers.answer import answer
from llmperf.answers.breakdown import operators
from llmperf.scenarios.resolve import resolve


def rows(phase: str, **scenario: Any) -> dict[str, Any]:
    """Operators of a step, by name."""
    found = answer(resolve({"hardware": "a100-sxm-80gb", "weights": "bf16", **scenario}))
    return {row.name: row for row in operators(found.evaluated[0].phases[phase])}


@pytest.mark.parametrize(("model", "sums"), [("gpt-j-6b", 1), ("llama-7b", 2), ("opt-6.7b", 2), ("t5-11b", 3)])
def test_the_two_rules_of_redco_are_the_split_of_megatron(model: str, sums: int) -> None:
    """Redco: what spreads is cut along its outputs, what gathers along its inputs, and then summed.

    GPT-J sums its attention and its network once, together; T5's decoder also attends to the encoder.
    """
    work = {"batch": 4, "input": 128, "output": 16}
    whole, part = (rows("decode", model=model, parallelism={"tp": tp}, workload=work) for tp in (1, 4))
    cut = [name for name, row in whole.items() if row.kind == "gemm"]
    assert {"qkv", "o", "down", "lm_head"} <= set(cut)
    for name in cut:
        gathers = name in ("o", "down", "cross_o")
        before, after = whole[name], part[name]
        assert (after.n, after.k) == ((before.n, before.k / 4) if gathers else (before.n / 4, before.k)), name
    assert part["tp_all_reduce"].repeat == sums * part["o"].repeat
    assert part["tp_all_reduce"].message_bytes == 2 * work["batch"] * whole["o"].n


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_a_ring_of_keys_and_values_passes_every_block_but_the_own(ranks: int) -> None:
    """TokenRing: a rank of a ring sends keys and values of blk tokens, 2 blk h b bytes, n - 1 times."""
    tokens, work = 8192, {"batch": 1, "input": 8192, "output": 1}
    found = rows("prefill", model="llama-3.1-8b", parallelism={"cp": ranks}, devices=ranks, workload=work)
    block = 2 * tokens / ranks * 8 * 128 * 2  # of eight KV heads of 128 in 16 bit
    sent = (ranks - 1) * block
    exchange = found["cp_kv"]
    assert exchange.message_bytes == pytest.approx(ranks * block)  # what all have together
    assert exchange.roofline_s == pytest.approx(sent / 300e9)  # NVLink 3, one way


@pytest.mark.parametrize("local", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("cards", [1, 2, 4])
def test_reads_striped_over_cxl_cards_take_their_bytes_over_the_rate_of_all(local: float, cards: int) -> None:
    """CXL-aware allocation: (1 - f) bytes over the cards together, beside f bytes of local memory."""
    hardware = {"extends": "cxl-xeon", "tiers": {"cxl": {"bandwidth": 36e9 * cards}}}
    scenario = {"model": "llama-2-7b", "hardware": hardware, "weights": "bf16", "workload": {"batch": 1, "output": 2}}
    found = answer(resolve({**scenario, "placement": {"weights": local}}))
    read = 2 * (6_738_415_616 - 32_000 * 4096)  # all but the embedding, of which a step reads a row
    assert (1 - local) * read / (36e9 * cards) > local * read / 307.2e9  # the cards are the slower of the two
    assert float(found.value("bound.tpot_s")) == pytest.approx((1 - local) * read / (36e9 * cards), rel=1e-4)
