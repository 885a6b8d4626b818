"""Weight formats take the bytes that their layouts say, and run on chips that lack their engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.descriptors.weights import element_bytes
from llmperf.importers.gguf import GGML_TYPES
from llmperf.operators.matrix import Matrix
from llmperf.phases.setup import setup
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

FORMATS = sorted(catalog.files("weights"))
BLOCKS = {name.lower(): (elements, size) for name, elements, size in GGML_TYPES.values()}
FILES = ("iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "q2_k")
"""Files that are called as the block of most of their tensors; the rest have wider ones."""
LAYOUT = {"input": 512, "output": 64}
HARDWARE = ["h100-sxm", "a100-sxm-80gb", "rtx-3090", "rtx-4090", "xeon-8380", "raspberry-pi-5", "b200-sxm", "mi300x"]


def bits(name: str) -> float:
    return 8.0 * float(element_bytes(component("weights", name)))


@pytest.mark.parametrize("name", sorted({*FORMATS} & {*BLOCKS} - {"bf16", "nvfp4", *FILES}))
def test_a_format_of_llama_cpp_takes_the_bytes_of_its_block(name: str) -> None:
    elements, size = BLOCKS[name]
    assert bits(name) == pytest.approx(8 * size / elements, rel=1e-12)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_several_blocks_is_larger_than_the_one_that_it_is_called_by(name: str) -> None:
    elements, size = BLOCKS[name]
    assert 1.0 < bits(name) / (8 * size / elements) < 1.3


def test_the_quantizers_of_llama_cpp_are_in_the_catalog() -> None:
    plain = {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0"}
    nested = {"q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "tq1_0", "tq2_0"}
    assert plain | nested <= set(FORMATS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("awq", 4 + 20 / 128), ("mxfp4", 4.25), ("mxfp8", 8.25), ("nvfp4", 4.5), ("bitnet", 2.0), ("smoothquant", 8.0)],
)
def test_bits_of_a_weight_count_scales_and_zeros(name: str, expected: float) -> None:
    assert bits(name) == pytest.approx(expected)


def test_the_list_shows_what_a_weight_takes_in_all(answer: Callable[..., dict[str, Any]]) -> None:
    listed = {line["name"]: line for line in answer("list", "weights")["catalog"]["weights"]}
    assert listed["q6_k"]["bits"] == 6
    assert listed["q6_k"]["bits_with_scales"] == 6.5625
    assert listed["bf16"]["bits_with_scales"] == 16


@pytest.mark.parametrize(("weights", "engine"), [("fp8", "fp8"), ("nvfp4", "fp4"), ("mxfp8", "fp8")])
def test_a_chip_without_the_engine_of_a_format_dequantizes_and_says_so(weights: str, engine: str) -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "a100-sxm-80gb", **LAYOUT}
    found = llmperf.estimate(weights=weights, **scenario)
    plain = llmperf.estimate(weights="bf16", **scenario)
    assert any(f"no {engine} engine" in note and "bf16" in note for note in found.warnings)
    assert found.tpot_s < plain.tpot_s  # decode reads fewer bytes,
    assert found.bound.ttft_s >= 0.999 * plain.bound.ttft_s  # prompts are computed as before


def test_dequantized_weights_are_read_in_their_own_size() -> None:
    a100 = {"model": "llama-3.1-8b", "hardware": "a100-sxm-80gb", **LAYOUT}
    ours, native = (
        llmperf.estimate(weights="fp8", **{**a100, "hardware": name}) for name in ("a100-sxm-80gb", "h100-sxm")
    )
    assert ours.memory.weights == native.memory.weights


def test_a_chip_with_nothing_to_compute_16_bit_with_refuses() -> None:
    for name in catalog.files("hardware"):
        try:
            chip = component("hardware", name)
        except llmperf.InputError:
            continue
        peaks = {dtype for engine in chip.engines.values() for dtype in engine.peaks}
        if not peaks & {"fp8", "bf16", "fp16", "fp32"}:
            with pytest.raises(llmperf.InputError, match="has no engine for"):
                llmperf.estimate(model="llama-3.1-8b", hardware=name, weights="fp8", **LAYOUT)
            return
    pytest.skip("every chip of the catalog has some float engine")


@pytest.mark.parametrize("name", FORMATS)
def test_fewer_bits_never_take_longer_to_read(name: str) -> None:
    found = llmperf.estimate(model="llama-2-7b", hardware="rtx-4090", weights=name, batch=np.array([1, 4]), **LAYOUT)
    whole = llmperf.estimate(model="llama-2-7b", hardware="rtx-4090", weights="fp32", batch=np.array([1, 4]), **LAYOUT)
    assert (found.bound.tpot_s <= whole.bound.tpot_s * (1 + 1e-9)).all()
    assert (found.bound.tpot_s <= found.tpot_s).all()


# --- Mechanisms: bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spqr", 3 + (3 + 3) / 16 + 64 / (16 * 16) + 0.01 * (16 + 16)),  # 3.94 in table 1 of SpQR
        ("spqr-4bit", 4.625),  # 4.63 there
        ("dfloat11", 10.9),
        ("qserve-g128", 4 + (8 + 4) / 128),
        ("qserve-per-channel", 4.0),
        ("atom", 4 + 16 / 128),
        ("comet", 4 + 16 / 128),
        ("bitmod-4bit", 4 + (8 + 2) / 128),
        ("bitmod-3bit", 3 + (8 + 2) / 128),
        ("bf16-2:4", 0.5 * 16 + 1),
        ("fp8-2:4", 0.5 * 8 + 1),
        ("int8-2:4", 0.5 * 8 + 1),
        ("sparse-int8-60", 0.4 * 8 + 1),
        ("sparse-int8-75", 0.25 * 8 + 1),
        ("msfp12", 4.5),
        ("msfp16", 8.5),
        ("mxfp6", 6.25),
        ("jit-q", 16.0),
        ("bipolar-w2a8", 2.0),
    ],
)
def test_bits_of_a_weight_are_those_of_the_paper(name: str, expected: float) -> None:
    assert bits(name) == pytest.approx(expected, rel=1e-12)


def matrix_of(name: str | dict[str, Any], hardware: str = "a100-sxm-80gb") -> Matrix:
    scenario = llmperf.load(None, {"model": "llama-2-7b", "hardware": hardware, "weights": name}).scenario
    return setup(scenario).formats.matrix


def test_dfloat11_takes_68_percent_of_bf16() -> None:
    assert bits("dfloat11") / 16 == pytest.approx(0.68, abs=0.005)
    ours, plain = (
        llmperf.estimate(model="llama-3.1-8b", hardware="h200-sxm", weights=name, **LAYOUT).memory.weights
        for name in ("dfloat11", "bf16")
    )
    assert ours / plain == pytest.approx(10.9 / 16, rel=1e-6)  # embeddings and output head, too


@pytest.mark.parametrize("blocks", [1, 5, 16])
def test_bitstack_takes_the_bytes_of_its_blocks(blocks: int) -> None:
    n, k, rank = 11008.0, 4096.0, 16
    matrix = matrix_of({"extends": "bitstack", "residual_blocks": blocks})
    assert matrix.stored(n, k) == pytest.approx(blocks * (n * k / 8 + 2 * rank * (n + k)))
    assert matrix.stored(2 * n, k, joined=2) == pytest.approx(2 * matrix.stored(n, k))  # two matrices in one product


def test_scales_of_channels_and_wide_channels_depend_on_the_width() -> None:
    n, k = 4096.0, 11008.0
    assert matrix_of("qserve-per-channel").stored(n, k) == pytest.approx(n * k / 2 + n * 4)
    assert matrix_of("qserve-g128").stored(n, k) == pytest.approx(n * k * (4 + 12 / 128) / 8 + n * 2)
    # 128 of the inputs have 8 bits, in weights and in activations
    assert matrix_of("atom").stored(n, k) == pytest.approx(n * (k * (4 + 16 / 128) + 128 * 4) / 8)
    assert matrix_of("atom").inputs(k) == pytest.approx((k - 128) / 2 + 128)


# --- Mechanisms: products ---------------------------------------------------------------------------------------------

SHAPE = {"m": 512.0, "n": 4096.0, "k": 8192.0}
DENSE = 2 * 512.0 * 4096 * 8192


def test_bit_planes_cost_their_product_on_the_one_bit_engine() -> None:
    work = matrix_of("bipolar-w2a8").products(**SHAPE)
    assert matrix_of("bipolar-w2a8").dtype == "int1"
    assert work.matrix == DENSE * 2 * 8


def test_look_ups_cost_in_proportion_to_the_bits_of_a_weight() -> None:
    two, four = (matrix_of(name, "raspberry-pi-5").products(**SHAPE) for name in ("tmac-w2", "tmac-w4"))
    assert two.matrix == DENSE / 2 * 2 / 4  # one for four activations and each bit
    assert four.matrix == 2 * two.matrix
    tables = 512 * 8192 / 4 * 2**3
    assert two.vector - tables == pytest.approx(two.matrix)  # every entry found is added


def test_a_mixed_product_adds_the_times_of_its_parts() -> None:
    work, share = matrix_of("comet").products(**SHAPE), 0.25
    assert work.matrix == pytest.approx(DENSE * (1 - share))
    assert work.wide == pytest.approx(DENSE * share)
    assert matrix_of("atom").products(**SHAPE).wide == pytest.approx(DENSE * 128 / 8192)
    layers = {"model": "llama-2-7b", "hardware": "a100-sxm-80gb", "batch": 16, "input": 2048, "output": 1}
    free = {"group_flops": 0, "group": None}  # no sums of groups: the tensor cores alone
    times = [
        llmperf.estimate(weights={"extends": "comet", **free, "wide_share": share}, **layers).bound.ttft_s
        for share in (0.25, 0.5, 0.75)
    ]
    assert times[2] - times[1] == pytest.approx(times[1] - times[0])
    assert times[1] > times[0]


def test_outliers_are_vector_work() -> None:
    ours = matrix_of("spqr").products(**SHAPE)
    none = matrix_of({"extends": "spqr", "outlier_share": 0}).products(**SHAPE)
    assert ours.vector - none.vector == pytest.approx(DENSE * 0.01)
    assert ours.matrix == none.matrix == DENSE


def test_residual_blocks_are_restored_whatever_the_tokens() -> None:
    matrix = matrix_of({"extends": "bitstack", "residual_blocks": 4})
    few, many = matrix.products(1.0, 4096.0, 4096.0), matrix.products(100.0, 4096.0, 4096.0)
    restore = 4 * 2 * 16 * 4096.0 * 4096
    assert few.matrix - 2 * 4096.0 * 4096 == pytest.approx(restore)
    assert many.matrix - 200 * 4096.0 * 4096 == pytest.approx(restore)


def test_factors_beside_a_matrix_multiply_the_inputs() -> None:
    work = matrix_of({"extends": "w4a16-g128", "rank": 32}).products(**SHAPE)
    assert work.wide == 2 * 512 * 32 * (4096.0 + 8192)
    assert work.matrix == DENSE


def test_sums_of_groups_are_vector_work() -> None:
    assert matrix_of("atom").products(**SHAPE).vector == pytest.approx(3 * 512 * 4096 * 8192 / 128)


PROMPTS = {"model": "llama-3.1-8b", "batch": 8, "input": 2048, "output": 32}


@pytest.mark.parametrize(("sparse", "dense"), [("bf16-2:4", "bf16"), ("fp8-2:4", "fp8"), ("int8-2:4", "int8")])
def test_two_of_four_halve_products_where_the_engine_skips_zeros(sparse: str, dense: str) -> None:
    assert matrix_of(sparse, "h100-sxm").products(**SHAPE).matrix == DENSE / 2
    ours, plain = (llmperf.estimate(weights=name, hardware="h100-sxm", **PROMPTS) for name in (sparse, dense))
    assert ours.bound.ttft_s < 0.6 * plain.bound.ttft_s
    assert not any("skips" in note for note in ours.warnings)


def test_zeros_that_no_engine_skips_save_bytes_alone_and_a_note_says_so() -> None:
    for sparse, dense, hardware in (("sparse-int8-75", "int8", "h100-sxm"), ("bf16-2:4", "bf16", "v100-sxm-32gb")):
        ours, plain = (llmperf.estimate(weights=name, hardware=hardware, **PROMPTS) for name in (sparse, dense))
        assert any("skips" in note and "in full" in note for note in ours.warnings)
        assert ours.bound.ttft_s == pytest.approx(plain.bound.ttft_s)
        assert ours.bound.tpot_s < plain.bound.tpot_s


def test_a_processor_skips_zeros_anywhere() -> None:
    assert matrix_of("sparse-int8-75", "xeon-8380").products(**SHAPE).matrix == DENSE / 4


def test_weight_only_formats_do_not_speed_up_prompts() -> None:
    for name in ("awq", "spqr", "bitmod-4bit", "dfloat11", "bitstack"):
        ours, plain = (llmperf.estimate(weights=w, hardware="a100-sxm-80gb", **PROMPTS) for w in (name, "bf16"))
        assert ours.bound.ttft_s >= 0.999 * plain.bound.ttft_s, name
        assert ours.ttft_s > 0.95 * plain.ttft_s, name


def test_weights_unpacked_to_8_bit_speed_up_prompts() -> None:
    ours, plain = (llmperf.estimate(weights=w, hardware="a100-sxm-80gb", **PROMPTS) for w in ("qserve", "bf16"))
    assert ours.ttft_s < 0.75 * plain.ttft_s


# --- Conversion -------------------------------------------------------------------------------------------------------


def test_a_converted_format_reads_its_bytes_once_in_the_bound_and_the_copy_beside_it_in_the_roofline() -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm", **LAYOUT}
    ours, plain = (llmperf.estimate(weights=name, **scenario) for name in ("dfloat11", "bf16"))
    assert ours.bound.tpot_s < plain.bound.tpot_s
    assert ours.roofline.tpot_s > 2 * plain.roofline.tpot_s  # 10.9 bits read, 16 written, 16 read
    saved = [1 - ours.tpot_s / plain.tpot_s, 0.0]
    busy = [llmperf.estimate(weights=name, **{**scenario, "batch": 512}) for name in ("dfloat11", "bf16")]
    assert busy[0].tpot_s / busy[1].tpot_s < ours.tpot_s / plain.tpot_s, saved  # constant, whatever the batch


def test_experts_are_converted_as_they_are_hit() -> None:
    scenario = {"model": "mixtral-8x7b", "hardware": "h200-sxm", **LAYOUT}
    ours, plain = (llmperf.estimate(weights=name, **scenario) for name in ("dfloat11", "bf16"))
    assert ours.memory.weights / plain.memory.weights == pytest.approx(10.9 / 16, rel=1e-6)
    assert ours.tpot_s > plain.tpot_s
    assert ours.bound.tpot_s < plain.bound.tpot_s


def test_conversion_may_run_beside_the_matrix_engine() -> None:
    banks = {
        "extends": "h100-sxm",
        "engines": {"pim": {"kind": "matrix", "peaks": {"fp32": "20 TFLOP/s"}, "reads": "banks"}},
        "tiers": {"banks": {"kind": "internal", "bandwidth": "13.4 TB/s"}},
        "placement": {"convert": "pim"},
        "concurrency": 1,
        "sources": {"engines.pim": "a test", "tiers.banks": "a test"},
    }
    alone, beside = (
        llmperf.estimate(model="llama-2-7b", hardware=hardware, weights="jit-q", **LAYOUT)
        for hardware in ("h100-sxm", banks)
    )
    plain = llmperf.estimate(model="llama-2-7b", hardware=banks, weights="int8", **LAYOUT)
    assert plain.tpot_s < beside.tpot_s < alone.tpot_s


# --- Composition ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "hardware", "missing", "computed"),
    [
        ("bipolar-w2a8", "h100-sxm", "int1", "int8"),
        ("bipolar-w1a2", "h100-sxm", "int1", "bf16"),
        ("tmac-w2", "h100-sxm", "lookup", "int8"),
        ("matmul-free", "h100-sxm", "add", "int8"),
        ("atom", "h100-sxm", "int4", "bf16"),
        ("mxfp6", "h100-sxm", "fp6", "bf16"),
    ],
)
def test_a_chip_without_the_engine_falls_back_and_says_so(
    weights: str, hardware: str, missing: str, computed: str
) -> None:
    found = llmperf.estimate(model="llama-3.1-8b", hardware=hardware, weights=weights, **LAYOUT)
    assert any(f"no {missing} engine" in note and f"computed in {computed}" in note for note in found.warnings)
    assert found.evaluated[0].setup.formats.linear == computed
    native = matrix_of(weights).stored(4096.0, 4096.0)
    assert found.evaluated[0].setup.formats.matrix.stored(4096.0, 4096.0) == pytest.approx(native)


def test_what_no_engine_can_run_is_refused_with_the_reason() -> None:
    with pytest.raises(llmperf.InputError, match="has no engine for int4"):
        llmperf.estimate(model="llama-2-7b", hardware="snapdragon-8-gen-3", weights="bipolar-w1a2", **LAYOUT)


def test_activations_that_are_asked_for_decide_what_products_are_made_of() -> None:
    found = llmperf.estimate(
        model="llama-2-7b", hardware="a100-sxm-80gb", weights="bipolar-w2a8", activations="bf16", **LAYOUT
    )
    assert found.evaluated[0].setup.formats.linear == "bf16"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"supergroup": 16}, "supergroup"),
        ({"supergroup_bits": 64}, "supergroup_bits"),
        ({"group_flops": 3}, "group_flops"),
        ({"density": 0.5}, "sparsity"),
        ({"sparsity": "2:4", "density": 0.25}, "density"),
        ({"residual_blocks": 4}, "rank"),
        ({"product": "bit_planes"}, "activation_bits"),
        ({"converted_bits": 16, "weight_only": True}, "converted_bits"),
        ({"wide": "int8"}, "wide"),
    ],
)
def test_a_format_that_contradicts_itself_names_the_field(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(llmperf.InputError) as error:
        llmperf.estimate(model="llama-2-7b", hardware="a100-sxm-80gb", weights={"extends": "bf16", **fields})
    assert [problem.path for problem in error.value.problems] == [f"weights.{path}"]


def test_a_new_format_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "mine.yaml").write_text(
        "bits: 2\nactivations: bf16\nweight_only: true\ngroup: 64\nscale_bits: 4\nsupergroup: 8\nsupergroup_bits: 16\n"
        "outlier_share: 0.5%\nrank: 8\ndequantize_flops: 2\nsources: {all: a test}\n"
    )
    scenario = {"model": "llama-2-7b", "hardware": "a100-sxm-80gb", **LAYOUT}
    ours = llmperf.estimate(weights="mine", catalog=(str(tmp_path),), **scenario)
    assert ours.memory.weights < llmperf.estimate(weights="awq", **scenario).memory.weights
    format_ = component("weights", "mine", (str(tmp_path),))
    assert 8 * element_bytes(format_) == pytest.approx(2 + (4 + 16 / 8) / 64 + 0.005 * 32)


# --- Properties -------------------------------------------------------------------------------------------------------


@given(st.sampled_from(FORMATS), st.sampled_from(HARDWARE), st.sampled_from(["llama-2-7b", "mixtral-8x7b"]))
@settings(deadline=None, max_examples=40)
def test_bound_roofline_and_projection_keep_their_order_in_every_format(name: str, hardware: str, model: str) -> None:
    found = llmperf.estimate(model=model, hardware=hardware, weights=name, batch=3, **LAYOUT)
    for metric in ("ttft_s", "tpot_s"):
        bound, roofline, projection = (
            getattr(part, metric) for part in (found.bound, found.roofline, found.projection)
        )
        assert 0 < bound <= roofline * (1 + 1e-9) <= projection * (1 + 2e-9)


KNOBS = {
    "spqr": ("bits", "scale_bits", "supergroup_bits", "outlier_share", "outlier_index_bits"),
    "bitstack": ("residual_blocks", "rank", "converted_bits"),
    "dfloat11": ("bits", "converted_bits"),
    "atom": ("scale_bits", "group_flops", "wide_channels", "wide_bits"),
    "comet": ("wide_share", "type_bits"),
    "bipolar-w2a8": ("bits", "activation_bits"),
    "qserve-g128": ("channel_bits", "zero_bits"),
    "sparse-int8-60": ("density", "index_bits"),
    "tmac-w2": ("bits",),
}
"""Numbers of which more never makes a format smaller or faster, as long as its kernels stay the same."""


@given(st.sampled_from([(name, knob) for name, knobs in KNOBS.items() for knob in knobs]), st.floats(1.0, 1.5))
@settings(deadline=None, max_examples=60)
def test_more_is_never_smaller_or_faster_and_arrays_give_what_numbers_give(
    picked: tuple[str, str], factor: float
) -> None:
    name, knob = picked
    value = float(getattr(component("weights", name), knob) or 1.0)
    whole = knob in ("residual_blocks", "rank", "wide_channels")
    more = float(np.ceil(value * factor)) if whole else value * factor
    hardware = "raspberry-pi-5" if name == "tmac-w2" else "a100-sxm-80gb"
    scenario = {"model": "llama-2-7b", "hardware": hardware, "batch": 4, **LAYOUT}
    found = llmperf.estimate({"weights": {"extends": name}, f"weights.{knob}": np.array([value, more])}, **scenario)
    alone = llmperf.estimate(weights={"extends": name, knob: more}, **scenario)
    for metric in ("ttft_s", "tpot_s"):
        for part in ("bound", "roofline", "projection"):
            pair = getattr(getattr(found, part), metric)
            assert pair[1] == pytest.approx(getattr(getattr(alone, part), metric), rel=1e-10)
            assert pair[0] <= pair[1] * (1 + 1e-9), (part, metric)
    assert found.memory.weights[0] <= found.memory.weights[1]


@given(st.sampled_from(["awq", "spqr", "mxfp4", "atom", "qserve-g128"]), st.integers(1, 6))
@settings(deadline=None)
def test_smaller_groups_never_take_fewer_bytes(name: str, halvings: int) -> None:
    group = component("weights", name).group
    assert group is not None
    smaller = max(group // 2**halvings, 1)
    ours = matrix_of({"extends": name, "group": int(smaller)}).stored(4096.0, 4096.0)
    assert ours >= matrix_of(name).stored(4096.0, 4096.0)


def test_a_format_may_say_whose_constants_its_products_have() -> None:
    def schemes(hardware: str = "h100-sxm", **weights: Any) -> str:
        written = {
            "name": "mine",
            "bits": 4,
            "weight_only": True,
            "group": 32,
            "scale_bits": 8,
            "sources": {},
            **weights,
        }
        resolved = llmperf.load({"model": "llama-3.1-8b", "hardware": hardware, "weights": written, **LAYOUT})
        return setup(resolved.scenario).formats.matrix.scheme

    assert schemes() == "w4a16_mxfp4", "as its numbers suggest"
    assert schemes(kernels="w4a16") == "w4a16"
    eight = {"bits": 8, "weight_only": False, "activations": "fp8", "group": None, "scale_bits": 0}
    assert schemes(**eight, kernels="fp8_block") == "fp8_block"
    assert schemes("a100-sxm-80gb", **eight, kernels="fp8_block") == "w8a16", "a chip without the engine has others"
    with pytest.raises(llmperf.InputError, match="w4a16"):
        schemes(kernels="w4a61")
