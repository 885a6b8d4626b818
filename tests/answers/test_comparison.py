"""Configurations side by side: what differs is found, adds up, and is said; what does not is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.answers.differences import PhaseChange, parts
from llmperf.interfaces.cli.compare import assignments
from llmperf.interfaces.shelf.schemas import schema_of
from llmperf.outputs import TIMES

Run = Callable[..., CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]

LLAMA: dict[str, Any] = {"model": "llama-2-7b", "hardware": "a100-sxm-80gb", "batch": 32, "input": 1024, "output": 128}
KIVI = {"name": "kivi-like", "bits": 2, "group": 32, "scale_bits": 16, "zero_bits": 16, "dequantize_flops": 2}
FLAGS = ["--model", "llama-2-7b", "--hardware", "a100-sxm-80gb", "--batch", "32", "--input", "1024"]


def words(*others: dict[str, Any], **base: Any) -> str:
    found = llmperf.compare({**LLAMA, **base}, *others)
    return "\n".join(found.explanation(len(others)))


def phases(other: dict[str, Any], **base: Any) -> dict[str, PhaseChange]:
    return {phase.name: phase for phase in llmperf.compare({**LLAMA, **base}, other).difference(1).phases}


def amount(phase: PhaseChange, quantity: str) -> tuple[float, float]:
    changes = [change for part in phase.parts for change in part.work if change.name == quantity]
    return sum(change.before for change in changes), sum(change.after for change in changes)


# --- the numbers --------------------------------------------------------------------------------------------------


def test_identical_configurations_do_not_differ() -> None:
    found = llmperf.compare(LLAMA, {})
    assert set(found.speedup(1).values()) == {1.0}
    assert found.explanation(1) == ["no difference"]


def test_two_bits_in_groups_of_32_read_three_sixteenths_of_the_cache() -> None:
    decode = phases({"kv_cache": KIVI})["decode"]
    read, written = amount(decode, "kv_read"), amount(decode, "kv_written")
    assert read[0] / read[1] == pytest.approx(16 / 3, rel=1e-12)
    assert written[0] / written[1] == pytest.approx(16 / 3, rel=1e-12)
    assert amount(decode, "weights_read")[0] == amount(decode, "weights_read")[1]


def test_the_cache_of_a_step_is_counted_to_the_byte() -> None:
    read, _ = amount(phases({"kv_cache": "fp8"})["decode"], "kv_read")
    per_token = 2 * 32 * 4096 * 2  # keys and values, layers, width, bytes
    assert read == pytest.approx(32 * (1024 + 64) * per_token, rel=1e-3)  # the mean context of 127 steps


CHANGES: list[dict[str, Any]] = [
    {"kv_cache": KIVI},
    {"weights": "w4a16-g128"},
    {"weights": "w8a8-int8"},
    {"hardware": "h100-sxm", "weights": "fp8"},
    {"tp": 2},
    {"pp": 2},
    {"dp": 2},
    {"engine": "hf-transformers"},
    {"engine": "llama.cpp-cuda"},
    {"batch": 7},
    {"output": 1},
    {"model": "mixtral-8x7b", "tp": 2},
    {"model": "mamba2-2.7b"},
    {"hardware": "rtx-4090-workstation", "tiers": ["gddr", "dram"]},
    {"hardware": "neupims"},
    {"hardware": "gddr6-aim", "engine": "llama.cpp-metal-2024"},
    {"hardware": "cxl-xeon"},
    {"maximize": "batch"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_parts_add_up_to_the_phase(change: dict[str, Any]) -> None:
    for phase in phases(change).values():
        for side in ("before", "after"):
            total = sum(getattr(part.time, side) for part in phase.parts)
            assert total == pytest.approx(getattr(phase.time, side), rel=1e-5)
        assert sum(part.effect_s for part in phase.parts) == pytest.approx(
            phase.time.after - phase.time.before, abs=2e-5 * phase.time.before
        )
        effects = [abs(part.effect_s) for part in phase.parts]
        assert effects == sorted(effects, reverse=True)
        assert all(0.0 < wait.share <= 1.0 for wait in phase.longest)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_speedups_are_ratios_of_the_estimates_and_every_change_is_said(change: dict[str, Any]) -> None:
    found = llmperf.compare(LLAMA, change)
    base, other = found.results
    assert found.explanation(1)[0].startswith("output tokens/s")
    for name, factor in found.speedup(1).items():
        one, two = getattr(base.projection, name), getattr(other.projection, name)
        if name.endswith("_usd") and found.apart(1):
            assert factor != factor  # prices of different times are not compared, and that is said
            assert any(found.apart(1) in note for note in found.notes)
        elif name.endswith("_per_s"):
            assert factor == pytest.approx(two / one)
        elif two == two:
            assert factor == pytest.approx(one / two)


@given(st.sampled_from(["llama-3.1-8b", "mixtral-8x7b", "deepseek-v2-lite", "jamba-v0.1"]), st.integers(1, 200))
def test_the_parts_of_a_phase_have_the_bytes_of_its_table(model: str, batch: int) -> None:
    result = llmperf.estimate(model=model, hardware="b200-sxm", batch=batch, tp=2)
    part = result.evaluated[0]
    table = part.setup.table(part.setup.decode_step)
    for name, columns in (
        ("kv_read", ("kv_read", "state_read")),
        ("weights_read", ("weight_bytes", "expert_bytes")),
        ("messages", ("message",)),
    ):
        moved = sum(one.work.get(name, 0.0) for one in parts(part.phases["decode"]))
        assert moved == pytest.approx(sum(float(table.total(column)[0]) for column in columns))


def test_batches_that_differ_are_compared_by_the_token_and_the_prompt() -> None:
    same, other = phases({"kv_cache": "fp8"}), phases({"batch": 64})
    assert [same[name].per for name in ("prefill", "decode")] == ["batch", "step"]
    assert [other[name].per for name in ("prefill", "decode")] == ["prompt", "token"]
    read = amount(other["decode"], "weights_read")
    assert read[0] == pytest.approx(2 * read[1])  # the same weights for twice the tokens


# --- the words ----------------------------------------------------------------------------------------------------


def test_a_smaller_cache_speeds_decode_up_and_the_weights_then_bind() -> None:
    said = words({"kv_cache": KIVI})
    assert re.search(r"decode: attention \S+ -> \S+ ms: KV read 18.3 -> 3.42 GB", said)
    assert "now bound by weights of linear layers (memory.main" in said
    assert "before by KV read of attention (memory.main" in said
    assert "the pool holds 5.33x the tokens" in said
    assert re.search(r"prefill: \S+ s, no change; still bound by bf16 products", said)


def test_weights_of_four_bits_do_not_speed_prefill_up() -> None:
    said = words({"weights": "w4a16-g128"})
    assert re.search(r"prefill: .* still bound by bf16 products of linear layers", said)
    assert re.search(r"prefill: linear layers \S+ -> \S+ s: vector work 0 -> .*, although weights", said)
    assert re.search(r"decode: linear layers \S+ -> \S+ ms: weights 13.2 -> 3.63 GB", said)
    assert "memory of one device: weights 12.6 -> 3.62 GiB" in said


def test_eight_bit_products_and_the_passes_that_they_need_are_named() -> None:
    said = words({"weights": "fp8"}, hardware="h100-sxm")
    assert re.search(r"linear layers \S+ -> \S+ ms: products in bf16 -> fp8", said)
    assert re.search(r"\+\S+ ms: quantizing inputs", said)


def test_other_hardware_does_the_same_work_at_other_rates() -> None:
    said = words({"hardware": "h100-sxm"})
    assert re.search(r"decode: attention \S+ -> \S+ ms: the same work, at \S+ -> \S+ TB/s", said)
    assert "capacity" not in said


def test_collectives_come_with_more_devices_and_stages_overlap() -> None:
    assert re.search(r"\+\S+ \ws: collectives \(messages ", words({"tp": 2}))
    assert "work at the same time" in words({"pp": 2})


def test_work_that_changes_no_time_is_said_to_change_none() -> None:
    said = words({"engine": {"extends": "generic", "token_budget": 32768}})
    assert re.search(
        r"linear layers: weights 52.9 -> 13.2 GB, but bf16 products stay and set the time: no change", said
    )


def test_what_does_not_fit_is_said() -> None:
    assert re.search(r"it does not fit: \S+ GB a device too much", words({"batch": 500}))
    assert "the first does not fit" in words({"batch": 1}, batch=500)


def test_each_configuration_is_maximized_by_itself() -> None:
    found = llmperf.compare(LLAMA, {"kv_cache": KIVI}, maximize="batch", input=160, output=338)
    first, second = (result.scenario.workload.batch for result in found.results)
    alone = llmperf.estimate(LLAMA, kv_cache=KIVI, maximize="batch", input=160, output=338)
    assert second == alone.scenario.workload.batch > 4 * first
    assert f"batch {first} -> {second:,}" in found.explanation(1)[0]
    assert found.speedup(1)["output_tokens_per_s"] > 1.3


# --- Python -------------------------------------------------------------------------------------------------------


def test_a_name_is_a_scenario_of_its_own_and_a_mapping_a_change() -> None:
    found = llmperf.compare("llama-70b-8xh100", "deepseek-v3-8xh200", {"batch": 8}, output=64)
    assert found.labels == ("llama-70b-8xh100", "deepseek-v3-8xh200", "batch=8")
    models = [result.scenario.model.name for result in found.results]
    assert models == ["llama-3.1-70b", "deepseek-v3", "llama-3.1-70b"]
    assert [result.scenario.workload.output for result in found.results] == [64, 64, 64]
    assert found.results[2].scenario.workload.batch == 8


def test_equal_labels_are_told_apart() -> None:
    assert llmperf.compare(LLAMA, {"tp": 2}, {"tp": 2}).labels == ("base", "tp=2 #1", "tp=2 #2")
    assert llmperf.compare({**LLAMA, "name": "mine"}, {"kv_cache": KIVI}).labels == ("mine", "kv_cache=kivi-like")


def test_arrays_and_a_single_configuration_are_refused() -> None:
    import numpy as np

    with pytest.raises(llmperf.InputError, match="not arrays"):
        llmperf.compare(LLAMA, {"batch": np.array([1, 2])})
    with pytest.raises(llmperf.InputError, match="at least two"):
        llmperf.compare(LLAMA)


def test_every_fault_of_every_configuration_is_listed() -> None:
    with pytest.raises(llmperf.InputError) as raised:
        llmperf.compare(LLAMA, {"kv_cahe": "fp8"}, {"tp": "x"})
    assert [problem.path for problem in raised.value.problems] == ["kv_cahe", "parallelism.tp"]
    assert "(in tp=x)" in str(raised.value)


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_and_python_say_the_same_and_keep_the_schema(answer: Answer) -> None:
    shown = answer("compare", *FLAGS, "--with", "kv_cache=int4", "--with", "weights=w4a16-g128,kv_cache=fp8")
    same = llmperf.compare(LLAMA, {"kv_cache": "int4"}, {"weights": "w4a16-g128", "kv_cache": "fp8"})
    assert shown == json.loads(json.dumps(same.to_dict()))
    jsonschema.validate(shown, schema_of("comparison"))
    assert [one["label"] for one in shown["configurations"]] == list(same.labels)
    assert shown["configurations"][0]["difference"] is None
    estimated = answer("estimate", *FLAGS, "--kv-cache", "int4")
    for key in ("bound", "projection", "memory_bytes_per_device", "bottleneck", "scenario", "error_band"):
        assert shown["configurations"][1][key] == estimated[key]
    assert set(shown["configurations"][1]["speedup"]["bound"]) == {output.name for output in TIMES}


def test_what_has_no_value_is_null(answer: Answer) -> None:
    shown = answer("compare", *FLAGS, "--with", "model=mamba2-2.7b", "--with", "output=1", "--with", "batch=5000")
    jsonschema.validate(shown, schema_of("comparison"))
    assert shown["configurations"][2]["speedup"]["projection"]["tpot_s"] is None
    assert shown["configurations"][3]["memory_bytes_per_device"]["fits"] is False


def test_the_schema_of_a_comparison_can_be_asked_for(answer: Answer) -> None:
    assert answer("schema", "comparison")["title"] == "Comparison"


MANY = ("weights=w4a16-g128,kv_cache=fp8", "tp=2", "hardware=h100-sxm", "engine=vllm", "batch=600", "model=opt-13b")


@pytest.mark.parametrize(
    "arguments",
    [
        [*FLAGS, "--with", "kv_cache=int4"],
        [*FLAGS, *(f"--with={one}" for one in MANY)],
        ["llama-70b-8xh100", "deepseek-v3-8xh200", "--output", "64"],
        [*FLAGS, "--maximize", "throughput", "--with", "kv_cache={name: x, bits: 2, group: 32, scale_bits: 16}"],
        [*FLAGS, "--with", f"hardware.name={'a' * 90},hardware.tdp=100 W"],
    ],
    ids=["two", "seven", "scenarios", "maximized", "long label"],
)
def test_the_table_fits_100_columns_and_cuts_no_number(arguments: list[str], run: Run) -> None:
    done = run("compare", *arguments)
    assert done.returncode == 0, done.stderr
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout
    for word in ("TTFT", "TPOT", "its bound", "output tokens/s", "weights, GiB", "largest batch", "longest context"):
        assert word in done.stdout
    assert "decode limited by" in done.stdout
    assert "against" in done.stdout


def test_a_file_beside_its_variants(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "model: llama-2-7b\nhardware: a100-sxm-80gb\nworkload: {maximize: batch, input: 160, output: 338}\n"
    )
    done = run("compare", str(file), "--with", "kv-cache=fp8")
    assert done.returncode == 0, done.stderr
    assert "kv_cache=fp8 against mine" in done.stdout
    assert done.stdout.count("largest batch that fits: ") == 2


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--with", "kv_cahe=int4"], "unknown key 'kv_cahe' (in kv_cahe=int4) (did you mean kv_cache?)"),
        (["--with", "kv_cache=in4"], "unknown kv_cache 'in4' (in kv_cache=in4) (did you mean int4?)"),
        (["--with", "kv_cache"], "--with: 'kv_cache' is not key=value"),
        (["--with", ""], "--with: '' is not key=value"),
        (["--with", "tp=1,tp=2"], "--with: tp stands twice"),
        (["--with", "kv_cache={bits: 2"], "--with"),
        (["--with", "model=llama-3.1-405b", "--maximize", "batch"], "not even batch 1 fits"),
        ([], "needs two configurations"),
        (["--max-error", "0.1", "--with", "tp=2"], "--max-error: serves --measured only"),
        (["--measured", "run.json", "--with", "tp=2"], "--measured: compares a run with one scenario"),
        (["nothing.yaml", "--with", "tp=2"], "nothing.yaml: no such file"),
    ],
)
def test_wrong_input_is_one_message_and_code_2(flags: list[str], expected: str, run: Run) -> None:
    done = run("compare", *FLAGS, *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(run("compare", *FLAGS, *flags, "--json").stdout)["errors"][0]["message"]


def test_a_with_is_split_at_the_commas_between_its_keys() -> None:
    assert dict(assignments("tiers=hbm,dram,batch=8")) == {"tiers": ["hbm", "dram"], "batch": 8}
    assert dict(assignments("kv_cache={name: x, bits: 2, group: 32}, tp=2")) == {
        "kv_cache": {"name": "x", "bits": 2, "group": 32},
        "tp": 2,
    }
    assert dict(assignments("hardware.tiers.hbm.bandwidth=4 TB/s")) == {"hardware.tiers.hbm.bandwidth": "4 TB/s"}
