"""Measured kernels are predicted by the very forms that estimates use, and the forms behave as physics does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmperf.costs import attention, collectives, elementwise, gemm, moe
from llmperf.costs.machine import Machine, machine_of, pick
from llmperf.costs.step import price
from llmperf.descriptors.achieved import COLLECTIVES, Achieved, CollectiveAchieved
from llmperf.evidence.kernels.base import Kernels
from llmperf.evidence.kernels.formats import FORMATS, predict, project
from llmperf.evidence.tables import parse
from llmperf.operators.routing import balanced, power_law
from llmperf.operators.table import Row, table
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

CALIBRATED = [name for name in sorted(catalog.files("achieved")) if component("achieved", name).basis == "calibrated"]
CLASSES = [name for name in sorted(catalog.files("achieved")) if name.startswith("gpu")]


def read(name: str, text: str) -> Kernels:
    """The one group of kernels in a CSV text."""
    found = FORMATS[name][1](parse(text.encode(), f"{name}.csv"))
    assert not found.omitted, found.omitted
    assert len(found.kernels) == 1
    return found.kernels[0]


def priced(kind: Any, row: Row, chip: str = "h100-sxm") -> float:
    """Projected time of one operator of an estimate."""
    costs = price(table({kind: [row]}), machine_of(component("hardware", chip)))
    return float(sum(float(np.sum(part.time)) for part in costs.priced))


def test_calibrations_ship_for_every_device_with_kernel_data() -> None:
    named = (
        "a100-sxm-80gb h100-sxm h200-sxm h800-sxm l40s b200-sxm b300-sxm gb200 gb300 rtx-pro-6000 a40 mi210 arc-pro-b60"
    )
    assert {*named.split(), "v100-pcie-16gb", "v100-sxm-16gb"} <= set(CALIBRATED)


def test_a_measured_product_is_priced_as_one_of_an_estimate() -> None:
    m, n, k = 512, 8192, 4096
    measured = read("gemm", f"device,dtype,m,n,k,time_us,kernel,source\nH100,bfloat16,{m},{n},{k},70,none,mine\n")
    moved = 2.0 * (n * k + m * k + m * n)
    row = Row("x", 1.0, (1.0,), flops=2.0 * m * n * k, activation_bytes=moved, m=m, n=n, k=k)
    assert project(measured)[0] == pytest.approx(priced("gemm", row), rel=1e-12)


@pytest.mark.parametrize(("label", "chip"), [("H100", "h100-sxm"), ("L40S", "l40s")])
def test_a_measured_fp8_product_holds_the_pass_that_quantizes_its_inputs_an_estimates_does_not(
    label: str, chip: str
) -> None:
    m, n, k = 512, 8192, 4096
    measured = read("gemm", f"device,dtype,m,n,k,time_us,kernel,source\n{label},fp8,{m},{n},{k},70,none,mine\n")
    size = n * k + m * k + 2.0 * m * n
    product = Row("x", 1.0, (1.0,), "fp8", flops=2.0 * m * n * k, activation_bytes=size, m=m, n=n, k=k)
    machine = machine_of(component("hardware", chip))
    passed = gemm.quantize_time(machine.fit("gemm", ("fp8",)), 3.0 * m * k / machine.hardware.main.bandwidth, m)[0]
    assert project(measured)[0] == pytest.approx(priced("gemm", product, chip) + float(passed.item()), rel=1e-9)


def test_a_quantized_product_has_the_fixed_time_of_a_plain_one_and_what_quantizes_is_one_more_stream() -> None:
    known = component("achieved", "h100-sxm")
    assert {fit.latency for name, fit in known.gemm.items() if name.startswith("fp8")} == {known.gemm["bf16"].latency}
    moved = Row("q", 1.0, (1.0,), scheme="quantize", activation_bytes=3.0 * 512 * 4096)
    assert priced("quantize", moved) == pytest.approx(priced("elementwise", moved))


def test_a_measured_decode_kernel_is_priced_as_one_of_an_estimate() -> None:
    text = (
        "device,dtype,kv_dtype,batch,kv_len,n_heads,n_kv_heads,head_dim,kernel,time_us,source\n"
        "H100,bfloat16,bfloat16,32,4096,32,8,128,none,200,mine\n"
    )
    size = 32 * 4096 * 8 * 256 * 2.0 + 32 * 32 * 256 * 2.0
    shape = {"streams": 256.0, "group": 4.0, "context": 4096.0}
    row = Row("a", 1.0, (1.0,), scheme="bf16/d128", flops=2.0 * 32 * 4096 * 32 * 256, activation_bytes=size, **shape)
    assert project(read("attention_decode", text))[0] == pytest.approx(priced("attention.decode", row))


def test_a_measured_prefill_kernel_is_priced_as_one_of_an_estimate() -> None:
    text = (
        "device,dtype,kv_dtype,batch,q_len,kv_len,n_heads,n_kv_heads,head_dim,causal,kernel,time_us,source\n"
        "H100,bfloat16,bfloat16,2,2048,2048,32,8,128,1,none,500,mine\n"
    )
    pairs = 2 * 2048 * (2048 + 1) / 2
    size = 2 * 2048 * 32 * 256 * 2.0 + 2 * 2048 * 8 * 256 * 4.0
    shape = {"blocks": 2 * 32 * 16.0, "query": 2048.0, "keys": 2048.0}
    row = Row("a", 1.0, (1.0,), scheme="bf16/d128", flops=2.0 * pairs * 32 * 256, activation_bytes=size, **shape)
    assert project(read("attention_prefill", text))[0] == pytest.approx(priced("attention.prefill", row))


def test_measured_experts_are_priced_as_both_products_of_an_estimate() -> None:
    text = (
        "device,dtype,num_tokens,hidden,inter,topk,n_experts,moe_tp,moe_ep,distribution,kernel,time_us,source\n"
        "H100,bfloat16,256,4096,1536,8,128,1,1,balanced,none,900,mine\n"
    )
    rows, hit, total = 256 * 8.0, 128.0, 0.0
    for n, k, passes in ((3072.0, 4096.0, 4096 * 4 + 3072 * 2), (4096.0, 1536.0, (1536 + 4096) * 4)):
        work, weights = 2.0 * rows * n * k, hit * n * k * 2
        row = Row("e", 1.0, (1.0,), flops=work, expert_bytes=weights, m=rows / hit, n=n, k=k, hit=hit)
        row.columns.update(padded_flops=work, padded_bytes=weights, activation_bytes=rows * passes)
        total += priced("moe", row)
    assert project(read("moe", text))[0] == pytest.approx(total)


def test_a_measured_collective_is_priced_as_one_of_an_estimate() -> None:
    head = "device,topology,op,n_ranks,bytes,time_us,source\n"
    gather = read("collectives", head + "H100,aic-default,all_gather,8,268435456,900,mine\n")
    row = Row("r", 1.0, (1.0,), operation="all_gather", message=268435456.0, ranks_up=8.0)
    assert project(gather)[0] == pytest.approx(priced("collective", row))
    measured = read("collectives", head + "H100,aic-default,all_reduce,8,268435456,900,mine\n")
    row.operation = "all_reduce"
    assert project(measured)[0] >= priced("collective", row), "an engine may have a faster kernel of its own"
    assert measured.bound[0] == pytest.approx(268435456 / 450e9), "a switch that adds sends the vector once"


def test_every_measured_kernel_that_ships_respects_its_bound_or_says_why() -> None:
    from llmperf.evidence.datasets import read_kernels, shipped

    for part in read_kernels(shipped(FORMATS)).kernels:
        beaten = part.measured < 0.98 * part.bound
        assert part.note or not beaten.any(), (part.device, part.scheme, part.kernel)


# --- closed forms over the constants of every chip


def fits(section: str) -> list[tuple[str, Any, Any]]:
    """(chip, selector, constants) of a section over all calibrated chips and classes."""
    out = []
    for name in (*CALIBRATED, *CLASSES):
        achieved: Achieved = component("achieved", name)
        out += [(name, selector, fit) for selector, fit in getattr(achieved, section).items()]
    return out


def rising(time: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> None:
    """Time is finite, positive, and never falls along an argument."""
    times = np.asarray(time(np.geomspace(low, high, 60)))
    assert np.all(np.isfinite(times))
    assert np.all(times > 0.0)
    assert np.all(np.diff(times) >= -1e-12 * times[1:])


def test_products_take_longer_with_more_work_and_never_beat_the_roofline() -> None:
    for name, selector, fit in fits("gemm"):
        rising(lambda x, fit=fit: gemm.time(fit, x, 1e-6, 4096.0)[0], 1e-9, 1.0)
        rising(lambda x, fit=fit: gemm.time(fit, 1e-6, x, 4096.0)[0], 1e-9, 1.0)
        rising(lambda x, fit=fit: gemm.time(fit, 1e-6, 1e-6, x)[0], 1.0, 1e6)
        rising(lambda x, fit=fit: gemm.quantize_time(fit, x, 100.0)[0] + 1e-15, 1e-9, 1.0)
        compute, memory = np.meshgrid(np.geomspace(1e-9, 1, 20), np.geomspace(1e-9, 1, 20))
        time = gemm.time(fit, compute, memory, np.full_like(compute, 4096.0))[0]
        assert np.all(time >= np.maximum(compute, memory)), (name, selector)


def test_prefill_attention_takes_longer_with_more_work_and_never_beats_the_roofline() -> None:
    for name, selector, fit in fits("attention_prefill"):
        rising(lambda x, fit=fit: attention.prefill_time(fit, x, 1e-6, 512.0, 512.0, 64.0, 132.0)[0], 1e-9, 1.0)
        rising(lambda x, fit=fit: attention.prefill_time(fit, 1e-6, x, 512.0, 512.0, 64.0, 132.0)[0], 1e-9, 1.0)
        rising(lambda x, fit=fit: attention.prefill_time(fit, 1e-6, 1e-6, 512.0, x, 64.0, 132.0)[0], 128.0, 1e6)
        rising(lambda x, fit=fit: attention.prefill_time(fit, 1e-6, 1e-6, 512.0, 512.0, x, 132.0)[0], 1.0, 1e6)
        time = attention.prefill_time(fit, np.array([1e-3]), np.array([2e-3]), 512.0, 512.0, 64.0, 132.0)[0]
        assert time[0] >= 2e-3, (name, selector)


def test_decode_attention_takes_longer_with_more_work_and_never_beats_the_roofline() -> None:
    for name, selector, fit in fits("attention_decode"):
        rising(lambda x, fit=fit: attention.decode_time(fit, 1e-6, x, 8.0, 4096.0, 256.0, 132.0)[0], 1e-9, 1.0)
        rising(lambda x, fit=fit: attention.decode_time(fit, x, 1e-6, 8.0, 4096.0, 256.0, 132.0)[0], 1e-9, 1.0)
        rising(lambda x, fit=fit: attention.decode_time(fit, 1e-6, 1e-6, 8.0, x, 256.0, 132.0)[0], 1.0, 1e6)
        rising(lambda x, fit=fit: attention.decode_time(fit, 1e-6, 1e-6, 8.0, 4096.0, x, 132.0)[0], 1.0, 1e6)
        # kernels that read the cache for each query may read it faster than memory, but never all of it
        time = attention.decode_time(fit, np.array([1e-6]), np.array([1e-3]), np.array([64.0]), 4096.0, 256.0, 132.0)[0]
        assert time[0] >= 1e-3, (name, selector)


def test_experts_take_longer_with_more_work_and_never_beat_the_roofline() -> None:
    base = {"compute": 1e-6, "memory": 1e-6, "passes": 1e-6, "foreign": 1e-6, "k": 4096.0, "rows": 16.0, "hit": 8.0}
    base |= {"n": 2048.0, "cores": 132.0}
    for name, selector, fit in fits("moe"):
        for argument, low, high in (
            ("compute", 1e-9, 1.0),
            ("memory", 1e-9, 1.0),
            ("passes", 1e-9, 1.0),
            ("k", 1.0, 1e5),
        ):
            rising(lambda x, fit=fit, name=argument: moe.time(fit, **{**base, name: x})[0], low, high)
        rising(lambda x, fit=fit: moe.time(fit, **{**base, "rows": x, "compute": 1e-7 * x})[0], 1.0, 1e4)
        rising(lambda x, fit=fit: moe.time(fit, **{**base, "hit": x, "memory": 1e-7 * x})[0], 1.0, 512.0)
        time = moe.time(fit, **{**base, "compute": np.array([1e-3]), "memory": np.array([2e-3])})[0]
        assert time[0] >= 2e-3, (name, selector)


def test_few_experts_leave_cores_idle_and_weights_in_the_cache_are_no_estimates() -> None:
    fit = component("achieved", "h100-sxm").moe["fp8_block"]
    at = {"compute": 0.0, "passes": 0.0, "foreign": 0.0, "k": 4096.0, "rows": 1.0, "cores": 132.0}
    one = moe.time(fit, **at, memory=np.array([1e-4]), hit=1.0, n=256.0)[0]
    many = moe.time(fit, **at, memory=np.array([1e-4]), hit=1.0, n=256.0 * 132)[0]
    assert one > 2 * many, "the same bytes by fewer work groups"
    text = "device,dtype,num_tokens,hidden,inter,topk,n_experts,distribution,kernel,time_us,source\n"
    small, large = (
        read("moe", text + f"L40S,bfloat16,1,2048,{inner},2,8,balanced,k,9,mine\n") for inner in (1024, 16384)
    )
    assert small.arguments["fill"][0] < 1.0 < large.arguments["fill"][0]
    plain = component("achieved", "l40s").moe["bf16"]
    cached, streamed = (
        predict(small, replace(plain, cached=speedup), machine_of(component("hardware", "l40s")))
        for speedup in (5.0, 1.0)
    )
    assert cached < 0.5 * streamed


def test_elementwise_operators_take_longer_with_more_bytes() -> None:
    for _, _, fit in fits("elementwise"):
        rising(lambda x, fit=fit: elementwise.time(fit, 0.0, x, x * 1e5)[0], 1e-9, 1.0)
        out_of_cache = elementwise.time(fit, np.zeros(1), np.array([1e-3]), np.array([np.inf]))[0]
        assert out_of_cache[0] >= 1e-3


def test_collectives_take_longer_with_more_bytes_and_pass_through_their_points() -> None:
    for section in sorted(COLLECTIVES):
        for name, selector, points in fits(section):
            for ranks, point in points.items():
                at = collectives.at(points, np.array([[float(ranks)]]))
                assert at.latency == pytest.approx(point.latency), (name, selector)
                assert at.bandwidth == pytest.approx(point.bandwidth)
            last = float(max(points, key=int))
            beyond = collectives.at(points, np.array([last, 2 * last, 4 * last]))
            assert np.all(np.diff(beyond.latency) >= 0.0)
            fit = CollectiveAchieved(*(value[0] for value in (beyond.bandwidth, beyond.latency, beyond.root)))
            rising(lambda x, fit=fit: collectives.time(fit, x, 450e9), 1.0, 1e9)


@pytest.mark.parametrize("operation", ["all_gather", "reduce_scatter", "all_to_all", "p2p"])
def test_what_must_cross_a_link_never_crosses_it_faster_than_its_rate(operation: str) -> None:
    for section in sorted(COLLECTIVES):
        for name, selector, points in fits(section):
            if selector == operation:
                assert max(point.bandwidth for point in points.values()) <= 1.0, (name, section)


def test_a_box_without_peer_to_peer_exchanges_more_slowly_the_more_devices_share_the_host() -> None:
    chip = component("hardware", "l40s")
    apart = replace(chip, links={**chip.links, "pcie": replace(chip.links["pcie"], peer_to_peer=False)})
    ranks = np.array([[2.0, 4.0, 8.0]])
    direct, shared = (
        machine.collective(machine.ways[0], ("all_reduce",), ranks).bandwidth[0]
        for machine in (machine_of(chip), machine_of(apart))
    )
    assert direct[2] > direct[0] / 2
    assert shared[2] < shared[0] / 8
    assert all(shared[1:] < direct[1:])


def test_bridges_of_one_box_share_its_host_link_and_boxes_have_networks_of_their_own() -> None:
    pairs = machine_of(component("hardware", "h100-nvl"))
    assert pairs.ways == ("scale_up", "host")
    assert machine_of(component("hardware", "h100-sxm")).ways == ("scale_up", "scale_out")
    assert machine_of(component("hardware", "rtx-4090")).ways[0] == "through_host"


def test_an_exchange_of_few_experts_keeps_few_cores_busy() -> None:
    fit = CollectiveAchieved(1.0, 1e-5, token=2e-6, expert=2e-8)
    bytes_, experts = np.array([1e6, 1e6]), np.array([8.0, 128.0])
    few, many = collectives.exchange_time(fit, bytes_, 450e9, np.array([1024.0, 1024.0]), experts, 132.0)
    assert few - many == pytest.approx(2e-6 * (1024 / 8 - 1024 / 128) - 2e-8 * 120)
    twice = collectives.exchange_time(fit, bytes_, 450e9, np.array([1024.0, 1024.0]), np.array([133.0, 264.0]), 132.0)
    assert twice[0] > many, "133 experts take two each of 67 cores"


def test_a_launch_hides_what_the_kernel_takes() -> None:
    text = "device,topology,op,n_ranks,bytes,time_us,source\nH100,1node,all_reduce_custom,2,{},9,mine:{}\n"
    of = {
        (size, how): project(read("collectives", text.format(size, how)))[0]
        for size in (1024, 4096, 2**30)
        for how in ("vLLM_custom_eager", "vLLM_custom_graph")
    }
    assert of[1024, "vLLM_custom_eager"] == of[4096, "vLLM_custom_eager"] > 2 * of[4096, "vLLM_custom_graph"]
    assert of[2**30, "vLLM_custom_eager"] == pytest.approx(of[2**30, "vLLM_custom_graph"], rel=0.25)


def test_ranks_beyond_the_domain_of_a_bridge_are_measured_on_the_network() -> None:
    text = "device,topology,op,n_ranks,bytes,time_us,source\nH800,CX7-400G,deepep_ll_dispatch_fp8,64,8000000,173,mine\n"
    found = read("collectives", text)
    assert (found.section, found.scheme) == ("scale_out", "deepep_ll_dispatch")
    assert found.arguments["wire"][0] == pytest.approx(8e6 * 56 / 64), "8 of 64 ranks are in the box"


@given(share=st.floats(0.05, 1.0), speedup=st.floats(1.0, 10.0), size=st.floats(1e3, 1e10))
def test_a_cache_never_makes_a_stream_slower_than_memory_or_faster_than_itself(
    share: float, speedup: float, size: float
) -> None:
    hardware = component("hardware", "l40s")
    cache = replace(hardware.achieved.cache, share=share, speedup=speedup)
    machine = Machine(replace(hardware, achieved=replace(hardware.achieved, cache=cache)))
    relieved = machine.relieved(np.array([size]))[0]
    assert size / speedup <= relieved * (1 + 1e-12)
    assert relieved <= size * (1 + 1e-12)


# --- selectors


def test_a_fit_is_found_from_the_special_to_the_general() -> None:
    known = {"default": 0, "bf16": 1, "bf16/fast": 2, "bf16/d64": 3, "bf16/d128": 4, "bf16/fast/d256": 5, "fp8": 6}
    known |= {"bf16+mha/fast/d128": 7}
    assert pick(known, "fp4") == 0
    assert pick(known, "w4a16") == 1, "weight-only products run on 16-bit kernels"
    assert pick(known, "bf16", ("slow", "fast")) == 2
    assert pick(known, "bf16/d100") == 4, "the nearest head dimension"
    assert pick(known, "bf16/d64", ("fast",)) == 5, "of the engine's own kernel first"
    assert pick(known, "bf16+mha/d128", ("fast",)) == 7
    assert pick(known, "bf16+mha/d64") == 3, "a variant without a fit is its scheme"
    assert pick(known, "fp8_block") == 6


def test_a_variant_s_fit_of_another_head_dimension_says_less_than_the_common_one_of_this() -> None:
    known = {"default": 0, "bf16/fast/d64": 1, "bf16/fast/d128": 2, "bf16+mha/fast/d256": 3}
    assert pick(known, "bf16+mha/d128", ("fast",)) == 2
    assert pick(known, "bf16+mha/d256", ("fast",)) == 3


def test_kernels_of_latent_attention_come_before_plain_ones_of_the_engine() -> None:
    known = {"default": 0, "bf16-fp8/fast/d256": 1, "bf16/d512": 2}
    assert pick(known, "bf16-fp8+latent/d576", ("fast",)) == 1
    assert pick({**known, "bf16+latent/d576": 3}, "bf16-fp8+latent/d576", ("fast",)) == 3


# --- routing

counts = st.integers(1, 4096)


@settings(max_examples=60)
@given(tokens=counts, top_k=st.sampled_from([1, 2, 8]), ranks=st.sampled_from([1, 2, 8, 32]), skew=st.floats(0.5, 2.0))
def test_skewed_routing_keeps_every_token_and_loads_no_rank_beyond_what_there_is(
    tokens: int, top_k: int, ranks: int, skew: float
) -> None:
    arguments = [np.array([float(value)]) for value in (128, top_k, tokens, ranks)]
    load = power_law(*arguments, np.array([skew]))
    assert load.rows[0] == pytest.approx(tokens * top_k / ranks)
    assert load.most_rows[0] >= min(load.rows[0], 1.0)
    assert load.most_rows[0] <= max(tokens * min(top_k, 128 / ranks), 1.0) + 1e-9
    assert 1.0 <= load.most_hit[0] <= 128 / ranks + 1e-9
    even = balanced(*arguments)
    assert even.hit[0] <= 128 / ranks
    if ranks == 1 and tokens * top_k > 256:
        assert load.hit[0] <= even.hit[0] + 1e-9, "skew leaves experts idle"
