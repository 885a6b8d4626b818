"""KV-cache methods: what the papers say about bytes and tokens, exactly, and what must hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.descriptors.kv_cache import element_bytes
from llmperf.errors import InputError
from llmperf.operators.lines import END, reached
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

METHODS = sorted(catalog.files("kv_cache"))
WITH_HOST = {"extends": "a100-sxm-80gb", "tiers": {"dram": {"kind": "host", "capacity": "1 TiB", "via": "pcie"}}}
"""An A100 in a host with enough memory for what a method puts there."""

LONG = {"extends": "llama-3.1-8b", "max_context": 2**31}


def memory(kv_cache: object, tokens: int, model: object = LONG, **more: object) -> dict[str, Any]:
    """Memory of one device for one sequence of `tokens` tokens, the last of which is generated."""
    given_: dict[str, Any] = {"engine": {"extends": "generic", "kv_block": 1}, "hardware": WITH_HOST, **more}
    found = llmperf.estimate(model=model, kv_cache=kv_cache, input=tokens - 1, output=1, batch=1, **given_)
    return dict(found.to_dict()["memory_bytes_per_device"])


def ratio(kv_cache: object, tokens: int, **more: object) -> float:
    """Stored bytes over those of a 16-bit cache."""
    return memory(kv_cache, tokens, **more)["kv_cache"] / memory("bf16", tokens, **more)["kv_cache"]


def bits(name: str) -> float:
    return 8.0 * float(element_bytes(component("kv_cache", name)))


def test_kivi_needs_three_bits_an_element_and_keeps_the_last_tokens_in_sixteen() -> None:
    assert bits("kivi-2bit") == 3.0
    assert ratio("kivi-2bit", 4096) == pytest.approx((4000 * 3 + 96 * 16) / (4096 * 16))
    assert ratio("kivi-2bit", 90) == 1.0  # nothing is quantized yet


def test_zipcache_compresses_five_times() -> None:
    assert 16.0 / bits("zipcache") == pytest.approx(5.0)


def test_minicache_compresses_5_33_times_before_retention_and_5_16_after() -> None:
    kept = {"extends": "minicache", "merged": {"retained": 0.0}}
    assert 1.0 / ratio(kept, 4096) == pytest.approx(16 / 3)
    assert 1.0 / ratio("minicache", 4096) == pytest.approx(4 / 0.775)


def test_locret_compresses_eight_times_at_128k() -> None:
    assert 1.0 / ratio("locret-16k", 131_072) == pytest.approx(8.0, rel=1e-3)


def test_razorattention_drops_more_than_two_thirds_at_100k() -> None:
    tokens = 100_000
    assert ratio("razor", tokens) == pytest.approx(0.15 + 0.85 * (0.2 + 5 / tokens))
    assert ratio("razor", 4_000) == 1.0


def test_longgen_keeps_a_third_of_the_layers_and_windows_of_the_others() -> None:
    assert ratio("longgen", 131_072) == pytest.approx(1 / 3 + 2 / 3 * 1088 / 131_072, rel=1e-3)


def test_transmla_saves_92_97_percent_of_llama_2_7b() -> None:
    latent = {"kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "q_lora_rank": 0}
    converted = {"extends": "llama-2-7b", "mla": latent}
    before, after = memory("bf16", 4096, "llama-2-7b"), memory("bf16", 4096, converted)
    assert 1.0 - after["kv_cache"] / before["kv_cache"] == pytest.approx(0.9297, abs=5e-5)


def test_opt_66b_keeps_1_125_gib_for_512_tokens() -> None:
    assert memory("bf16", 512, "opt-66b")["kv_cache"] == 1.125 * 2**30


def test_gear_adds_its_side_matrices_and_outliers() -> None:
    tokens, width, head = 4096, 8 * 128, 128
    gear = {"extends": "gear-4bit", "recent": 0}
    backbone = 4 + 32 / 64 + 0.02 * 48
    side = 16 * 4 * (tokens + head) / (tokens * head)  # GEAR's own formula: both sides of each head's factor
    assert memory(gear, tokens)["kv_cache"] * 8 / (2 * width * tokens * 32) == pytest.approx(backbone + side)


def test_shadowkv_keeps_a_rank_of_keys_and_landmarks_on_the_device_and_values_on_the_host() -> None:
    tokens, layers, width = 131_072, 32, 8 * 128
    exact = {"engine": {"extends": "generic", "kv_block": 1}}
    found = _evaluated(kv_cache="shadowkv-2k", input=tokens - 1, output=1, batch=1, **exact)
    keys, landmarks, side = tokens * 160 * 2, tokens / 8 * width * 2, width * 160 * 2
    values = (2048 + 48 * 8 + 32) * width * 2  # what the steps before have fetched
    assert found.parts["memory"].kv_cache[0] == pytest.approx(layers * (keys + landmarks + side + values))
    assert [share.chosen_bytes for share in found.placed.shares] == [pytest.approx(layers * tokens * width * 2)]


def test_a_step_reads_what_the_method_chooses() -> None:
    names = ("bf16", "kivi-2bit", "kinetics-topk-1k", "h2o-20")
    read = {name: decode_reads(name, "attention") for name in names}
    assert read["bf16"] == 32_769 * 2 * 1024 * 2
    assert read["kivi-2bit"] == pytest.approx(2 * 1024 / 8 * ((32_769 - 96) * 3 + 96 * 16))
    assert read["kinetics-topk-1k"] == 1024 * 2 * 1024 * 2
    assert read["h2o-20"] == pytest.approx(0.2 * 32_770 * (2 * 1024 * 2 + 32 * 2))  # and its scores
    assert decode_reads("kinetics-block-1k", "select") == pytest.approx(32_769 / 16 * 1024 * 2)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_that_chooses_none_reads_all_that_is_stored(name: str) -> None:
    method = component("kv_cache", name)
    if method.reads or method.offload or method.merged:
        pytest.skip("reads less than it stores, or stores less than it reads")
    own, tokens = _evaluated(kv_cache=name, input=512, output=2).need.per_sequence.cache, 40_000.0
    read = own.step(lambda limit: min(tokens, limit), tokens, tokens)
    assert read.bytes == pytest.approx(own.stored(tokens, tokens, tokens)[0])


def decode_reads(kv_cache: str, name: str) -> float:
    """Bytes that an attention operator of one decode step reads, of one sequence of 32,769 tokens."""
    costs = _evaluated(kv_cache=kv_cache, input=32_768, output=2, batch=1).phases["decode"].costs
    block = next(priced.block for priced in costs.priced if name in priced.block.names)
    return float(block.kv_read[block.names.index(name), 0])


SHAPES = [
    {},
    {"shared_prefix": 700, "batch": 16},
    {"hardware": "hgx-a100", "cp": 8, "batch": 4},
    {"hardware": "hgx-a100", "tp": 4, "pp": 2, "batch": 24},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape) or "plain")
@pytest.mark.parametrize("name", METHODS)
def test_a_step_reads_no_more_than_is_stored_and_repeats_no_more_than_it_reads(
    name: str, shape: dict[str, Any]
) -> None:
    hardware = {**WITH_HOST, "extends": shape.get("hardware", WITH_HOST["extends"])}
    try:
        found = _evaluated(kv_cache=name, input=3000, output=200, **{**shape, "hardware": hardware})
    except InputError:
        assert "shared_prefix" in shape  # of what drops or offloads tokens alone
        return
    cp = shape.get("cp", 1)
    costs = found.phases["decode"].costs
    block = next(priced.block for priced in costs.priced if "attention" in priced.block.names)
    row = block.names.index("attention")
    read, repeated, remote = (
        float(getattr(block, column)[row, 0]) for column in ("kv_read", "kv_repeated", "kv_fetched")
    )
    assert 0 <= repeated <= read * (1 + 1e-12)
    method = component("kv_cache", name)
    here, away = found.need.per_sequence.cache.stored(3200, 3000, 3200)
    shares = 1.0 - found.need.per_sequence.cache.repeated
    sequences = found.setup.sequences / found.setup.micro_batches
    if method.offload is None:
        assert read * cp <= sequences * here / shares * (1 + 1e-9)
    assert remote <= sequences * away
    assert np.all(found.need.kv_cache >= 0)
    assert all(part.total >= 0 for part in costs.moved.values())


def test_a_prompt_of_several_steps_holds_its_cache_until_it_is_cut() -> None:
    long, short = ({"kv_cache": "snapkv-2k", "input": n, "output": 1, "batch": 1} for n in (131_000, 4_000))
    plain = _evaluated(kv_cache="bf16", input=131_000, output=1, batch=1).need
    cut = _evaluated(**long).need
    assert cut.kv_cache[0, 0] < 0.02 * plain.kv_cache[0, 0]
    assert cut.activations - plain.activations == pytest.approx(131_000 * 131_072 - cut.kv_cache[0, 0], rel=1e-3)
    assert _evaluated(**short).need.activations == _evaluated(kv_cache="bf16", input=4_000, output=1).need.activations


FULL: dict[str, Any] = {
    "extends": "kivi-2bit",
    "salient": {"share": 0.5, "bits": 4},
    "windowed": {"share": 0.5, "tokens": 512, "sinks": 4},
    "reads": {"tokens": 600},
    "selection": {"page": 16, "codes": 4},
    "low_rank": {"rank": 4},
    "outliers": {"share": 0.01, "bits": 48},
    "prompts": {"probes": 0.1, "flops": 2, "products": 8},
}
"""Nearly all mechanisms in one method."""
VARIED: dict[str, list[float]] = {
    "bits": [2, 3],
    "recent": [0, 128],
    "score_bits": [0, 16],
    "salient.share": [0.2, 0.5],
    "outliers.share": [0.0, 0.1],
    "windowed.share": [0.0, 0.5],
    "windowed.tokens": [100, 1000],
    "budget.tokens": [300, 900],
    "reads.tokens": [100, 5000],
    "reads.share": [0.0, 0.5],
    "selection.page": [8, 64],
    "selection.codes": [0, 12],
    "low_rank.rank": [1, 64],
    "merged.retained": [0.0, 0.2],
    "offload.hit": [0.2, 0.6],
    "prompts.probes": [0.0, 1.0],
    "prompts.flops": [0, 5],
    "prompts.products": [0, 640],
}
BESIDE: dict[str, dict[str, Any]] = {
    "budget": {"budget": {"tokens": 900, "of": "prompt", "grows": True}},
    "merged": {"merged": {"share": 0.5, "retained": 0.1}},
    "offload": {"offload": {"tier": "host", "part": "all"}},
}


@pytest.mark.parametrize("path", VARIED)
def test_every_number_of_a_method_may_be_an_array(path: str) -> None:
    method = {**FULL, **BESIDE.get(path.partition(".")[0], {})}
    shape = {"model": LONG, "hardware": WITH_HOST, "kv_cache": method, "input": 2000, "output": 100}
    name = f"kv_cache.{path}"
    together = llmperf.estimate(**{**shape, name: np.array(VARIED[path], dtype=float)})
    for index, value in enumerate(VARIED[path]):
        alone = llmperf.estimate(**{**shape, name: value})
        for part in ("bound", "roofline", "projection"):
            many, one = (np.ravel(getattr(found, part).e2e_s) for found in (together, alone))
            assert many[index if many.size > 1 else 0] == pytest.approx(one[0]), (part, value)
        many, one = (np.ravel(found.memory.max_context) for found in (together, alone))
        assert many[index if many.size > 1 else 0] == one[0]


def test_what_every_step_of_a_choice_shares_costs_its_part() -> None:
    every_step = {"extends": "lserve-kv8", "selection": {"every": 1}}
    shared, own = (_evaluated(kv_cache=method, input=65_536, output=64) for method in ("lserve-kv8", every_step))
    assert shared.phases["decode"].costs.time["matrix"].total < own.phases["decode"].costs.time["matrix"].total


def test_accumulated_scores_and_probes_cost_prompts_time() -> None:
    plain, probing = (_evaluated(kv_cache=method, input=4096, output=64) for method in ("bf16", "zipcache"))
    names = [name for priced in probing.phases["prefill"].costs.priced for name in priced.block.names]
    assert {"probe", "compress"} <= set(names)
    assert probing.parts["projection"].ttft_s > plain.parts["projection"].ttft_s


@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_bound_roofline_and_projection_in_order(name: str) -> None:
    found = _evaluated(kv_cache=name, input=np.array([64, 900, 8_000, 100_000]), output=64)
    for metric in ("ttft_s", "tpot_s", "e2e_s"):
        low, middle, high = (getattr(found.parts[part], metric) for part in ("bound", "roofline", "projection"))
        assert (low <= middle * (1 + 1e-12)).all(), metric
        assert (middle <= high * (1 + 1e-12)).all(), metric


@pytest.mark.parametrize("name", METHODS)
def test_no_method_stores_much_more_than_a_16_bit_cache_and_longer_never_less(name: str) -> None:
    tokens = np.array([65, 500, 2_000, 8_000, 30_000, 120_000])
    stored = _evaluated(kv_cache=name, input=tokens, output=64).parts["memory"].kv_cache
    plain = _evaluated(kv_cache="bf16", input=tokens, output=64).parts["memory"].kv_cache
    assert (stored > 0).all()
    assert (stored <= 1.6 * plain).all()  # side matrices of a short sequence
    assert (np.diff(stored) >= 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_an_array_gives_what_each_number_gives(name: str) -> None:
    tokens = [100, 5_000, 60_000]
    together = _evaluated(kv_cache=name, input=np.array(tokens), output=32)
    for index, each in enumerate(tokens):
        alone = _evaluated(kv_cache=name, input=each, output=32)
        for part, metric in (("projection", "e2e_s"), ("bound", "tpot_s"), ("memory", "kv_cache")):
            one, many = (getattr(whole.parts[part], metric) for whole in (alone, together))
            assert np.asarray(many).reshape(-1)[index if np.size(many) > 1 else 0] == pytest.approx(np.ravel(one)[0])


@st.composite
def methods(draw: Any) -> dict[str, Any]:
    """Any combination of the mechanisms that decide how many tokens are kept."""
    tokens, share = st.sampled_from([0, 1, 300, 20_000]), st.sampled_from([0.0, 0.2, 0.999, 1.0])
    budget = st.fixed_dictionaries(
        {"share": share, "tokens": tokens, "of": st.sampled_from(["prompt", "sequence"]), "grows": st.booleans()},
        optional={"chunk": st.sampled_from([1, 512, 4096])},
    ).filter(lambda part: part["tokens"] or part["share"])
    windowed = st.fixed_dictionaries(
        {"share": share, "tokens": tokens, "length_share": share, "sinks": st.sampled_from([1, 128])},
        optional={"prompts": st.sampled_from([10, 4096])},
    )
    parts = {
        "recent": st.sampled_from([1, 96, 2000]),
        "budget": budget,
        "windowed": windowed,
        "reads": st.fixed_dictionaries({"tokens": st.sampled_from([1, 1000]), "share": share}),
        "low_rank": st.fixed_dictionaries({"rank": st.sampled_from([2, 160])}),
        "offload": st.fixed_dictionaries({"tier": st.just("host"), "hit": st.sampled_from([0.0, 0.5])}),
    }
    named = {"name": "any", "bits": draw(st.sampled_from([2, 16])), "sources": {"all": "test"}}
    return {**named, **draw(st.fixed_dictionaries({}, optional=parts))}


LAYERS: list[dict[str, Any]] = [
    {},
    {"model": {"extends": "gemma-2-9b", "max_context": 2**31}},
    {"model": {"extends": "jamba-v0.1", "max_context": 2**31}, "hardware": "hgx-a100", "pp": 3},
    {"hardware": "hgx-a100", "cp": 4},
]
"""Layers that keep all tokens; windows beside them; stages with few of them beside states; shared by devices."""


def bisected(fits: Callable[[Any], Any], count: int) -> Any:
    """The longest sequence that fits, up to `END`, of each of some configurations: by halving what lies between."""
    low, high = np.zeros(count), np.full(count, END)
    for _ in range(80):
        middle = 0.5 * (low + high)
        good = fits(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return low


@settings(max_examples=100, deadline=None)
@given(
    method=st.sampled_from(METHODS) | methods(),
    layers=st.sampled_from(LAYERS),
    generated=st.sampled_from([1.0, 128.0, "each its own"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_longest_sequence_is_that_of_a_bisection_and_one_more_block_does_not_fit(
    method: Any, layers: dict[str, Any], generated: Any, seed: int
) -> None:
    hardware = {**WITH_HOST, "extends": layers.get("hardware", WITH_HOST["extends"])}
    need = _evaluated(**{**layers, "hardware": hardware}, kv_cache=method, input=256, output=2).need
    draw, count = np.random.default_rng(seed), 40
    generated = draw.integers(1, 3000, count).astype(float) if generated == "each its own" else generated
    sequence = replace(need.per_sequence, generated=generated)
    room, elsewhere = 10 ** draw.uniform(2, 12, count), 10 ** draw.uniform(3, 13, count)
    budget, others = 10 ** draw.uniform(2, 5, count).round(), draw.integers(1, 100, count).astype(float)

    def fits(tokens: Any) -> Any:
        beside = sequence.computing(np.maximum(tokens - generated, 1.0), budget) / others
        here = np.max([np.broadcast_to(stage, count) for stage in sequence.bytes(tokens)], axis=0) + beside
        away = np.max([np.broadcast_to(stage, count) for stage in sequence.away(tokens)], axis=0)
        return (here <= room) & (away <= elsewhere)

    found, sought = np.minimum(sequence.longest(room, elsewhere, budget, others), END), bisected(fits, count)
    error = 1e-9 * (1.0 + found)
    # a longer prompt may need less beside what stays of it: then it is the shortest that does not fit
    assert np.all((np.abs(found - sought) <= error) | (found < sought) & ~fits(found + error))
    whole = found // 16 * 16
    assert np.all(fits(whole) | (whole == 0.0))
    assert not np.any(fits(whole + 16) & (found < END))


def test_the_first_place_counts_where_a_size_falls_again() -> None:
    places, sizes = [0.0, 10.0, 20.0, END], [0.0, 10.0, 2.0, 2.0 + END - 20.0]
    levels = np.array([5.0, 11.0, 12.0])
    assert reached(places, sizes, levels) == pytest.approx([5.0, 29.0, 30.0])


@settings(max_examples=30, deadline=None)
@given(tokens=st.integers(256, 200_000), less=st.integers(1, 4096), more=st.integers(0, 4096))
def test_a_larger_budget_never_keeps_less(tokens: int, less: int, more: int) -> None:
    small, large = (
        {"name": "x", "bits": 16, "sources": {"all": "test"}, "budget": {"tokens": n}} for n in (less, less + more)
    )
    model = {"extends": "llama-2-7b", "max_context": 2**31}
    assert memory(small, tokens, model)["kv_cache"] <= memory(large, tokens, model)["kv_cache"]


def test_a_new_method_is_a_file(tmp_path: Path, answer: Callable[..., dict[str, Any]]) -> None:
    folder = tmp_path / "kv_cache"
    folder.mkdir()
    text = """\
bits: 3
group: 64
scale_bits: 16
recent: 32
windowed: {share: 0.25, tokens: 512, sinks: 4}
sources: {all: "my paper, table 2"}
"""
    (folder / "my-method.yaml").write_text(text)
    found = answer(
        "estimate", "--model", "llama-3.1-8b", "--hardware", "h100-sxm", "--kv-cache", "my-method",
        "--catalog", str(tmp_path), "--input", "16384", "--output", "1", "--set", "engine.kv_block=1",
    )  # fmt: skip
    stored = found["memory_bytes_per_device"]["kv_cache"]
    tokens, element = 16_385, 3 + 16 / 64
    held = {n: (n - 32) * element + 32 * 16 for n in (tokens, 516)}
    assert stored == pytest.approx(32 * 2 * 1024 / 8 * (0.75 * held[tokens] + 0.25 * held[516]))


@pytest.mark.parametrize(
    ("scenario", "path", "words"),
    [
        ({"hardware": "h100-sxm", "kv_cache": "shadowkv-2k"}, "kv_cache.offload.tier", "no tier behind"),
        ({"kv_cache": "h2o-20", "shared_prefix": 512}, "workload.shared_prefix", "needs them all"),
        (
            {"model": "deepseek-v3", "tp": 8, "hardware": "hgx-h200", "kv_cache": "razor"},
            "kv_cache.windowed",
            "one latent",
        ),
        ({"kv_cache": {"extends": "bf16", "selection": {"page": 16}}}, "kv_cache.selection", "reads does not say"),
        ({"kv_cache": {"extends": "bf16", "budget": {}}}, "kv_cache.budget", "keeps nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(scenario: dict[str, object], path: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        llmperf.estimate(
            **{"model": "llama-3.1-8b", "hardware": "a100-sxm-80gb", "input": 2048, "output": 16, **scenario}
        )
    assert [(p.path, words in p.message) for p in error.value.problems] == [(path, True)]


def _evaluated(**scenario: Any) -> Any:
    from llmperf.phases.estimate import evaluate
    from llmperf.scenarios.resolve import resolve

    return evaluate(resolve(None, {"model": LONG, "hardware": WITH_HOST, **scenario}).scenario)
