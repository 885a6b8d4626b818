"""Users' own runs: what the files of benchmark tools say, and how they stand beside bound and projection.

The samples in `data/runs` are written by hand in the formats of the tools.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import llmperf
from llmperf.errors import InputError
from llmperf.evidence.rows import SLACK
from llmperf.evidence.runs import ComparedMetric, MeasuredRun, Run, compare, read, reading
from llmperf.evidence.runs.metrics import ROOM
from llmperf.phases.serving.arrivals import open_loop
from llmperf.phases.serving.span import OTHERS
from llmperf.resources import RESOURCES

RUNS = Path(__file__).parents[1] / "data" / "runs"
SERVE = json.loads((RUNS / "vllm-serve.json").read_text())
H100 = {"hardware": "h100-sxm"}

Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A file of a name that says nothing."""

    def call(content: Any) -> Path:
        path = tmp_path / "result"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return call


def one(path: Path, **overrides: Any) -> MeasuredRun:
    (found,) = compare(read(path), None, overrides)
    return found


def rows(found: MeasuredRun) -> dict[str, ComparedMetric]:
    return {row.metric: row for row in found.rows}


def values(run: Run) -> dict[str, float]:
    return {item.metric: item.value for item in run.measured}


# --- reading ------------------------------------------------------------------------------------------------------


def test_vllm_serve_is_read_in_si_units() -> None:
    (run,) = read(RUNS / "vllm-serve.json")
    assert (run.tool, run.label, run.names["model"]) == (
        "vllm bench serve",
        "32 in flight",
        "meta-llama/Llama-3.1-8B-Instruct",
    )
    assert (run.load.kind, run.load.concurrency) == ("closed", 32)
    assert run.workload == {"input": 1024, "output": 256}
    assert values(run) == pytest.approx(
        {
            "ttft_mean_s": 0.2484,
            "ttft_p50_s": 0.2017,
            "ttft_p99_s": 0.8049,
            "tpot_s": 0.01106,
            "tpot_p50_s": 0.01121,
            "tpot_p99_s": 0.0117,
            "itl_s": 0.01106,
            "itl_p50_s": 0.0096,
            "itl_p99_s": 0.0382,
            "e2e_s": 3.0687,
            "e2e_p50_s": 3.055,
            "e2e_p99_s": 3.402,
            "requests_per_s": 10.25641,
            "output_tokens_per_s": 2625.641,
            "total_tokens_per_s": 13128.205,
        }
    )


def test_a_finite_request_rate_is_an_open_loop() -> None:
    (run,) = read(RUNS / "vllm-serve-rate.json")
    assert (run.load.kind, run.load.rate, run.load.concurrency) == ("open", 4.0, None)


def test_requests_without_rate_and_limit_come_at_once(write: Write) -> None:
    (run,) = read(write({**SERVE, "max_concurrency": None}))
    assert (run.load.kind, run.load.requests) == ("burst", 320)


def test_vllm_latency_says_one_time_only() -> None:
    (run,) = read(RUNS / "vllm-latency.json")
    assert (run.tool, run.load.kind, dict(run.workload)) == ("vllm bench latency", "static", {})
    assert values(run) == {"e2e_s": 1.254}


def test_the_two_reports_of_tensorrt_llm_say_the_same() -> None:
    (full,), (text,) = read(RUNS / "trtllm-report.json"), read(RUNS / "trtllm-report.txt")
    assert (
        full.names
        == text.names
        == {
            "model": "meta-llama/Llama-3.1-70B-Instruct",
            "hardware": "NVIDIA H100 80GB HBM3",
            "weights": "FP8",
            "kv_cache": "FP8",
            "engine": "tensorrt-llm",
        }
    )
    assert full.layout == text.layout == {"tp": 4, "pp": 1}
    assert full.workload == text.workload == {"input": 1024, "output": 1024}
    assert full.load == text.load
    assert full.load.concurrency == 63.4
    assert values(text) == pytest.approx({key: values(full)[key] for key in values(text)}, rel=1e-4)
    assert values(full)["tpot_s"] == pytest.approx(0.02209)


def test_percentiles_are_read_as_each_tool_spells_them(write: Write) -> None:
    (full,), (text,) = read(RUNS / "trtllm-report.json"), read(RUNS / "trtllm-report.txt")
    assert values(full)["ttft_p99_s"] == pytest.approx(1.9)
    assert values(full)["tpot_p50_s"] == pytest.approx(0.022)
    assert values(full)["e2e_p90_s"] == pytest.approx(23.3)
    assert values(text)["e2e_p50_s"] == pytest.approx(23.1)
    found = values(read(RUNS / "aiperf.json")[0])
    assert found["ttft_p99_s"] == pytest.approx(0.21)  # written in seconds
    assert found["tpot_p50_s"] == pytest.approx(0.0169)  # in microseconds
    assert found["e2e_p99_s"] == pytest.approx(3.58)  # in milliseconds
    (run,) = read(write({**SERVE, "p50_ttft_ms": 201.7, "p95_ttft_ms": 600.0, "p90_tpot_ms": 11.6}))
    assert values(run)["ttft_p50_s"] == pytest.approx(0.2017)
    assert values(run)["tpot_p90_s"] == pytest.approx(0.0116)
    assert dict(run.not_compared)["p50_ttft_ms"] == "median_ttft_ms says the same"
    assert "percentiles 50, 90 and 99" in dict(run.not_compared)["p95_ttft_ms"]
    (sglang, _) = read(RUNS / "sglang.jsonl")
    assert values(sglang)["e2e_p99_s"] == pytest.approx(2.04)


def test_breakdowns_of_the_printed_report_are_percentiles_too(write: Write) -> None:
    text = (RUNS / "trtllm-report.txt").read_text()
    lines = "[TPOT] P50    : 22.0000\n[TPOT] P99    : 22.5000\n[TTFT] P50    : 520.0000\n[TTFT] P95    : 900.0\n"
    (run,) = read(write(text + lines))
    assert [values(run)[key] for key in ("tpot_p50_s", "tpot_p99_s", "ttft_p50_s")] == pytest.approx(
        [0.022, 0.0225, 0.52]
    )
    assert "streaming_metrics.ttft_percentiles.p95" in dict(run.not_compared)


def test_every_line_of_sglang_is_a_run() -> None:
    first, second = read(RUNS / "sglang.jsonl")
    assert [run.load.concurrency for run in (first, second)] == [1, 16]
    assert first.layout == {"tp": 1, "dp": 1, "replicas": 1, "pp": 1, "ep": 1}
    assert values(second)["e2e_s"] == pytest.approx(2.671)
    assert values(second)["total_tokens_per_s"] == pytest.approx(7641.8)


def test_attention_data_parallelism_of_sglang_divides_its_tensor_parallelism(write: Write) -> None:
    line = json.loads((RUNS / "sglang.jsonl").read_text().splitlines()[1])
    line["server_info"] |= {"tp_size": 8, "dp_size": 8, "ep_size": 8, "enable_dp_attention": True}
    (run,) = read(write(line))
    assert run.layout == {"tp": 1, "dp": 8, "replicas": 1, "pp": 1, "ep": 8}


def test_units_of_aiperf_decide() -> None:
    (run,) = read(RUNS / "aiperf.json")
    assert (run.tool, run.load.kind, run.load.concurrency) == ("aiperf", "closed", 8)  # not that of the warm-up
    assert values(run)["ttft_mean_s"] == pytest.approx(0.1221)  # written in seconds
    assert values(run)["tpot_s"] == pytest.approx(0.01693)  # in microseconds
    assert values(run)["e2e_s"] == pytest.approx(3.492)  # in milliseconds
    assert run.names == {"model": "Qwen/Qwen2.5-7B-Instruct", "hardware": "NVIDIA A100-SXM4-80GB"}


@pytest.mark.parametrize(
    ("config", "load"),
    [
        ({"loadgen": {"concurrency": 32}}, ("closed", 32, None)),
        ({"loadgen": {"concurrency": 32, "request_rate": 2.5}}, ("open", 32, 2.5)),
        ({"concurrency": [16]}, ("closed", 16, None)),
        ({"perf_analyzer": {"stimulus": {"request_rate": 3}}}, ("open", None, 3)),
        ({"phases": {"profiling": {"rate": 4.0}}}, ("open", None, 4)),
        ({}, ("closed", 1, None)),  # by Little's law
    ],
)
def test_every_version_of_genai_perf_and_aiperf_keeps_the_load_elsewhere(
    config: dict[str, Any], load: tuple[Any, ...], write: Write
) -> None:
    data = {**json.loads((RUNS / "genai-perf.json").read_text()), "input_config": config}
    (run,) = read(write(data))
    assert (run.load.kind, run.load.concurrency, run.load.rate) == load


def test_the_forms_of_llama_bench_say_the_same() -> None:
    as_json, as_csv = read(RUNS / "llama-bench.json"), read(RUNS / "llama-bench.csv")
    table = read(RUNS / "llama-bench.md")
    assert as_json[0] == as_csv[0]
    assert [run.label.removeprefix("llama 7B Q4_0 ") for run in table] == [
        "pp512",
        "tg128",
        "tg128 @ d2048",
        "pp512+tg128",
    ]
    for run in (as_csv[0], table[0]):
        assert (values(run), dict(run.workload)) == (
            {"prompt_tokens_per_s": 13473.7},
            {"input": 512, "output": 1, "shared_prefix": 0},
        )
        assert run.formats["weights"]["bits"] == pytest.approx(8 * 3.56 * 2**30 / 6.74e9, rel=2e-3)
    assert values(as_csv[1]) == values(table[1]) == {"decode_tokens_per_s": 180.0}
    assert table[2].workload == {"input": 2048, "output": 129, "shared_prefix": 0}
    assert values(table[3])["e2e_s"] == pytest.approx(640 / 850)
    names = {"model": "Llama-2-7B", "hardware": "NVIDIA GeForce RTX 4090", "engine": "llama.cpp-cuda"}
    assert as_json[0].names == names
    assert table[0].names["engine"] == "llama.cpp-cuda"
    assert as_json[1].formats["kv_cache"]["bits"] == 8.5


@pytest.mark.parametrize("path", sorted(RUNS.iterdir()), ids=lambda path: path.name)
def test_a_format_is_recognized_by_content_never_by_name(path: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "report.yaml"
    shutil.copy(path, renamed)
    assert read(renamed) == read(path)


@pytest.mark.parametrize("name", ["vllm-serve.json", "vllm-serve-rate.json", "trtllm-report.json", "sglang.jsonl"])
def test_no_measurement_is_dropped_in_silence(name: str) -> None:
    """Every time and rate of a file is compared, or listed with a reason."""
    text = (RUNS / name).read_text()
    keys = set(re.findall(r'"((?:mean|median|std|p\d+|avg|output)\w*(?:_ms|_throughput\w*|_tok_s))"', text))
    for found in compare(read(RUNS / name), None, H100):
        listed = {item.key for item in found.run.measured} | {key for key, _ in found.not_compared}
        assert keys <= {key.rpartition(".")[2] for key in listed} | {"request_goodput"}
        assert all(why for _, why in found.not_compared)
        assert {item.metric for item in found.run.measured} <= {row.metric for row in found.rows} | {
            key for key, _ in found.not_compared
        }


GENAI = json.loads((RUNS / "genai-perf.json").read_text())
ROW = json.loads((RUNS / "llama-bench.json").read_text())[0]
TABLE = (RUNS / "llama-bench.md").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("   \n", ["is empty"]),
        ("[]", ["holds no run"]),
        (json.dumps(SERVE)[:-40], ["is not JSON"]),
        (json.dumps(SERVE) + "\n{", [":2", "is not JSON"]),
        (b"\xff\xfe{}", ["UTF-8"]),
        ("[" * 100_000, ["nested deeper"]),
        ('{"a": ' * 30 + "1" + "}" * 30, ["nested deeper"]),
        ('{"avg_latency": ' + "9" * 5000 + "}", ["too long"]),
        ("12", ["no output of a benchmark"]),
        ("time: 3 s\nspeed: 4\n", ["no output of a benchmark", "llama-bench (model_type", "trtllm-bench"]),
        ({"request_throughput": 3.0}, ["no output of a benchmark", "it has only request_throughput", "model_id"]),
        ({**SERVE, "mean_tpot_ms": float("nan")}, ["mean_tpot_ms", "not a finite number"]),
        ({**SERVE, "mean_tpot_ms": float("inf")}, ["mean_tpot_ms", "not a finite number"]),
        ({**SERVE, "mean_ttft_ms": -3.0}, ["mean_ttft_ms", "-3.0 is negative"]),
        ({**SERVE, "mean_ttft_ms": "12 ms"}, ["mean_ttft_ms", "'12 ms' is not a number"]),
        ({**SERVE, "mean_ttft_ms": [1, 2]}, ["mean_ttft_ms", "is not a number"]),
        ({**SERVE, "completed": True}, ["completed", "not a finite number"]),
        ({**SERVE, "completed": 0}, ["no request completed"]),
        ({**SERVE, "mean_ttft_ms": 10**400}, ["mean_ttft_ms", "is not a number"]),
        ({key: SERVE[key] for key in SERVE if key != "total_output_tokens"}, ["total_output_tokens", "missing"]),
        (
            {**GENAI, "time_to_first_token": {"unit": "parsec", "avg": 3}},
            ["time_to_first_token.unit", "allowed: s, sec"],
        ),
        ({**GENAI, "time_to_first_token": {"avg": 3}}, ["time_to_first_token.unit", "has no unit"]),
        ({**GENAI, "time_to_first_token": {"unit": ["ms"], "avg": 3}}, ["is no unit"]),
        ({**GENAI, "request_latency": 3.0}, ["request_latency", "object with unit and avg"]),
        ({**ROW, "avg_ts": 0}, ["avg_ts", "more than 0"]),
        ({**ROW, "n_prompt": 0}, ["a prompt, generated tokens"]),
        ({**ROW, "type_k": "q9_9"}, ["type_k", "no ggml type"]),
        (TABLE.replace("pp512 |", "fast |", 1), [":5", "'fast' is no test"]),
        (TABLE.replace("|     13473.70 ± 35.00 |", "|", 1), [":5", "6 cells, the header 7"]),
        (TABLE.replace("180.00 ± 0.10", "quick"), [":6", "avg_ts", "'quick' is not a number"]),
        ("\n".join(TABLE.splitlines()[:4]), ["no rows"]),
        ((RUNS / "llama-bench.csv").read_text().replace(',"35.0"', ""), [":2", "cells"]),
        ({"performance": {}, "request_info": {"num_requests": 3}}, ["avg_input_length", "missing"]),
    ],
)
def test_a_malformed_file_is_named_with_key_and_line(content: Any, words: list[str], write: Write) -> None:
    path = write(content)
    with pytest.raises(InputError) as caught:
        read(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_all_faults_of_a_file_are_listed_at_once(write: Write) -> None:
    lines = [{**SERVE, "mean_ttft_ms": -1}, SERVE, {**SERVE, "mean_tpot_ms": "fast", "mean_itl_ms": "slow"}, {"a": 1}]
    with pytest.raises(InputError) as caught:
        read(write("\n".join(map(json.dumps, lines))))
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (1, "mean_ttft_ms"),
        (3, "mean_tpot_ms"),
        (3, "mean_itl_ms"),
        (4, ""),
    ]


def test_files_and_runs_are_bounded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("\n".join(json.dumps(SERVE) for _ in range(3)))
    monkeypatch.setattr(reading, "MAX_RUNS", 2)
    with pytest.raises(InputError, match="3 runs"):
        read(path)
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="larger than"):
        read(path)
    with pytest.raises(InputError, match="directory"):
        read(path.parent)
    with pytest.raises(InputError, match="no such file"):
        read(path.parent / "nothing")


def test_zero_is_what_tools_write_when_they_measured_nothing(write: Write) -> None:
    found = one(write({**SERVE, "mean_ttft_ms": 0.0}), **H100)
    assert ("mean_ttft_ms", "0: not measured") in found.not_compared
    assert "ttft_mean_s" not in rows(found)


# --- comparing ----------------------------------------------------------------------------------------------------


def test_a_static_batch_is_compared_with_its_estimate() -> None:
    scenario = {"model": "llama-3.1-8b", **H100, "engine": "vllm", "batch": 8, "input": 32, "output": 128}
    row = rows(one(RUNS / "vllm-latency.json", **scenario))["e2e_s"]
    expected = llmperf.estimate(**scenario)
    assert (row.bound, row.projection) == pytest.approx((expected.bound.e2e_s, expected.e2e_s))
    assert row.error == pytest.approx(expected.e2e_s / 1.254 - 1)
    assert row.fraction_of_bound == pytest.approx(expected.bound.e2e_s / 1.254)


def test_rows_of_llama_bench_are_prefill_and_decode_of_one_sequence() -> None:
    prompt, token = (rows(found) for found in compare(read(RUNS / "llama-bench.json")))
    weights = read(RUNS / "llama-bench.json")[0].formats["weights"]
    scenario = {"model": "llama-2-7b", "hardware": "rtx-4090", "weights": weights}
    engine = {"engine": {"extends": "llama.cpp-cuda", "token_budget": 512}}
    prefill = llmperf.estimate(engine, **scenario, input=512, output=1)
    assert prompt["prompt_tokens_per_s"].projection == pytest.approx(512 / prefill.ttft_s)
    assert prompt["prompt_tokens_per_s"].bound == pytest.approx(512 / prefill.bound.ttft_s)
    cache = read(RUNS / "llama-bench.json")[1].formats["kv_cache"]
    decode = llmperf.estimate(engine, **scenario, kv_cache=cache, input=2048, output=129)
    assert token["decode_tokens_per_s"].projection == pytest.approx(1 / decode.tpot_s)


def test_one_request_in_flight_is_a_static_batch_of_one() -> None:
    first = next(compare(read(RUNS / "sglang.jsonl"), None, H100))
    expected = llmperf.estimate(model="llama-3.1-8b", engine="sglang", **H100, input=1024, output=256)
    found, front = rows(first), expected.scenario.engine.front_time
    assert front > 0.0  # a server answers what a static batch does not have to
    assert found["tpot_s"].projection == pytest.approx(expected.tpot_s)
    assert found["e2e_s"].projection == pytest.approx(expected.e2e_s + front)
    assert found["ttft_mean_s"].projection == pytest.approx(expected.ttft_s + front)
    for metric in ("tpot_s", "e2e_s", "output_tokens_per_s", "total_tokens_per_s"):
        assert found[metric].bound == pytest.approx(getattr(expected.bound, metric)), metric
    assert OTHERS not in found["tpot_s"].explained_by
    assert found["ttft_mean_s"].note == ""


def test_in_a_closed_loop_the_prompts_of_others_interrupt_decoding() -> None:
    found = rows(one(RUNS / "vllm-serve.json", **H100))
    scenario = {"model": "llama-3.1-8b", **H100, "input": 1024, "output": 256}
    alone, crowd = llmperf.estimate(**scenario), llmperf.estimate(**scenario, batch=32)
    # a prompt that joins a step shares its reading of the weights, so that it holds others up for less than alone
    assert crowd.tpot_s < found["tpot_s"].projection < crowd.tpot_s + 31 * alone.ttft_s / 255
    e2e = found["e2e_s"].projection
    assert found["ttft_mean_s"].projection + 255 * found["tpot_s"].projection == pytest.approx(e2e)
    assert found["output_tokens_per_s"].projection == pytest.approx(32 * 256 / e2e)
    assert found["requests_per_s"].projection * 256 == pytest.approx(found["output_tokens_per_s"].projection)
    assert found["tpot_s"].explained_by[OTHERS] > 0.2


def test_the_bound_of_a_token_is_that_of_the_sequences_that_decode() -> None:
    """28.9 sequences: 2625.641 tokens/s, 255 of 256 decoded, 11.06 ms each."""
    found = rows(one(RUNS / "vllm-serve.json", **H100))
    expected = llmperf.estimate(model="llama-3.1-8b", **H100, batch=28, input=1024, output=256)
    assert found["tpot_s"].bound == pytest.approx(expected.bound.tpot_s)


def test_a_server_that_holds_requests_back_does_not_beat_the_bound(write: Write) -> None:
    """Of 32 requests in flight one decodes at a time, as fast as it can: its tokens are quick, and the rest waits."""
    alone = llmperf.estimate(model="llama-3.1-8b", **H100, input=1024, output=256)
    crowd = llmperf.estimate(model="llama-3.1-8b", **H100, batch=32, input=1024, output=256)
    token = 1.001 * alone.bound.tpot_s
    assert token < SLACK * crowd.bound.tpot_s
    rate = 256 / (alone.bound.ttft_s + 255 * token)
    data = {**SERVE, "mean_tpot_ms": 1e3 * token, "output_throughput": rate}
    assert not rows(one(write(data), **H100))["tpot_s"].violation


def test_a_burst_is_a_static_batch_whose_tokens_come_late(write: Write) -> None:
    data = {**SERVE, "max_concurrency": None, "completed": 32, "total_input_tokens": 32768, "total_output_tokens": 8192}
    found = rows(one(write(data), **H100))
    expected = llmperf.estimate(model="llama-3.1-8b", **H100, batch=32, input=1024, output=256)
    assert found["ttft_mean_s"].projection == pytest.approx(expected.ttft_mean_s)
    assert found["ttft_mean_s"].bound == pytest.approx(expected.bound.ttft_mean_s)
    assert found["output_tokens_per_s"].projection == pytest.approx(expected.output_tokens_per_s, rel=0.1)
    whole = found["ttft_mean_s"].projection + 255 * found["tpot_s"].projection
    assert whole == pytest.approx(found["e2e_s"].projection)


def test_more_requests_than_the_memory_holds_wait(write: Write) -> None:
    data = {**SERVE, "max_concurrency": 2000, "completed": 9000, "total_input_tokens": 9000 * 4000}
    found = one(write({**data, "total_output_tokens": 9000 * 256}), **H100)
    # of all ages: on average half of their tokens are there
    expected = llmperf.estimate(model="llama-3.1-8b", **H100, input=4000, output=128)
    assert found.scenario is not None
    assert found.scenario.workload.batch == expected.memory.max_batch < 2000
    assert any("the memory holds" in note for note in found.notes)


def test_an_open_loop_has_the_requests_in_flight_of_littles_law() -> None:
    found = one(RUNS / "vllm-serve-rate.json", **H100)
    assert found.scenario is not None
    assert found.scenario.workload.batch == round(4.0 * (0.0475 + 255 * 0.0089))
    assert any("measured end-to-end time" in note and "Little" in note for note in found.notes)
    reasons = dict(found.not_compared)
    assert "delivers what arrives, 4 requests/s" in reasons["output_tokens_per_s"]
    times = ("ttft_mean_s", "tpot_s", "itl_s")
    assert set(rows(found)) == {*times, *(f"{name}_p{one}_s" for name in ("ttft", "tpot", "itl") for one in (50, 99))}


def test_without_latencies_an_open_loop_is_a_fixed_point(write: Write) -> None:
    data = json.loads((RUNS / "vllm-serve-rate.json").read_text())
    found = one(write({key: value for key, value in data.items() if "ttft" not in key}), **H100)
    assert any("the projected end-to-end time" in note for note in found.notes)
    assert found.scenario is not None
    loop = open_loop(found.scenario, 4.0).loop
    assert rows(found)["tpot_s"].projection == pytest.approx(loop.request.token)
    assert found.scenario.workload.batch == round(4.0 * float(loop.request.e2e))


def test_arrivals_beyond_what_can_be_served_are_said_to_queue(write: Write) -> None:
    data = json.loads((RUNS / "vllm-serve-rate.json").read_text())
    slow = {key: value for key, value in data.items() if "ttft" not in key} | {"request_rate": 200.0}
    found = one(write(slow), **H100)
    assert any("cannot serve 200 requests/s" in note for note in found.notes)
    assert "overloaded" in dict(found.not_compared)["requests_per_s"]


TIMES = ("ttft_mean_s", "tpot_s", "itl_s", "e2e_s")
PERCENTILES = [f"{name}_p{percent}_s" for name in ("ttft", "tpot", "itl", "e2e") for percent in (50, 90, 99)]


def measured_at(**load: Any) -> dict[str, Any]:
    """A run that says every time, each 5 seconds."""
    data = {key: value for key, value in SERVE.items() if not key.endswith("_ms")}
    spelled = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2e": "e2el"}
    keys = [f"{kind}_{name}_ms" for kind in ("mean", "median", "p90", "p99") for name in spelled.values()]
    return {**data, **dict.fromkeys(keys, 5000.0), **load}


@pytest.mark.parametrize(
    ("load", "traffic"),
    [
        ({"max_concurrency": 32}, {"concurrency": 32, "requests": 320}),
        ({"max_concurrency": 300}, {"concurrency": 300, "requests": 320}),
        ({"max_concurrency": None}, {"requests": 320}),
    ],
    ids=str,
)
@pytest.mark.parametrize("engine", ["vllm", {"extends": "vllm", "max_sequences": 20}], ids=str)
def test_a_run_is_compared_with_what_serve_answers(
    load: dict[str, Any], traffic: dict[str, Any], engine: Any, write: Write
) -> None:
    found = rows(one(write(measured_at(**load)), **H100, engine=engine))
    expected = llmperf.serve(model="llama-3.1-8b", **H100, engine=engine, input=1024, output=256, **traffic)
    for name in (*TIMES, *PERCENTILES):
        assert found[name].projection == pytest.approx(expected.value(name), rel=1e-9), name
    if "concurrency" in traffic:  # a burst is timed until its last request is complete
        assert found["requests_per_s"].projection == pytest.approx(
            expected.value("in_flight") / (expected.value("e2e_s") - expected.value("queue_s"))
        )


@pytest.mark.parametrize("burstiness", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("rate", [1.0, 6.0, 100.0])
def test_arrivals_are_compared_with_what_serve_answers(rate: float, burstiness: float, write: Write) -> None:
    data = measured_at(request_rate=rate, burstiness=burstiness, max_concurrency=None)
    timeless = {key: value for key, value in data.items() if key not in ("mean_ttft_ms", "mean_e2el_ms")}
    traffic = {"request_rate": rate, "burstiness": burstiness, "requests": 320}
    expected = llmperf.serve(model="llama-3.1-8b", **H100, engine="vllm", input=1024, output=256, **traffic)
    found = rows(one(write(timeless), **H100, engine="vllm"))
    for name in ("tpot_s", "itl_s", *PERCENTILES):
        assert found[name].projection == pytest.approx(expected.value(name), rel=1e-9), name
    if rate < 100.0:  # as many in flight as were measured: where as many were as are projected, it is the same state
        alike = rows(one(write({**data, "mean_e2el_ms": 1e3 * expected.value("e2e_s")}), **H100, engine="vllm"))
        for name in (*TIMES, *PERCENTILES):
            assert alike[name].projection == pytest.approx(expected.value(name), rel=0.02), name


def test_percentiles_are_in_order_and_their_mean_explains_them(write: Write) -> None:
    found = rows(one(write(measured_at(max_concurrency=64)), **H100))
    for name in ("ttft", "tpot", "itl", "e2e"):
        low, middle, high = (found[f"{name}_p{percent}_s"] for percent in (50, 90, 99))
        assert low.projection < middle.projection < high.projection
        mean = found["ttft_mean_s" if name == "ttft" else f"{name}_s"]
        assert low.explained_by == high.explained_by == mean.explained_by
        assert low.is_percentile
        assert not mean.is_percentile


def test_a_request_that_waits_for_room_says_so(write: Write) -> None:
    few = {"engine": {"extends": "vllm", "max_sequences": 8}}
    found = one(write(measured_at(max_concurrency=64)), **H100, **few)
    assert rows(found)["ttft_mean_s"].explained_by[ROOM] > 0.9
    assert ROOM not in rows(found)["tpot_s"].explained_by
    assert any("queue for it" in note for note in found.notes)


def test_the_bound_of_a_median_is_that_of_a_median_request(write: Write) -> None:
    path = write(measured_at(max_concurrency=8))
    even, scattered = rows(one(path, **H100)), rows(one(path, **H100, **{"traffic.output.cv": 1.0}))
    assert even["e2e_p50_s"].bound == pytest.approx(even["e2e_s"].bound)
    assert scattered["e2e_p50_s"].bound == pytest.approx(scattered["e2e_s"].bound / 2.0**0.5)  # of a lognormal of cv 1
    assert scattered["e2e_p99_s"].bound == scattered["e2e_s"].bound
    assert scattered["e2e_p99_s"].projection > 2.0 * even["e2e_p99_s"].projection


def test_goodput_needs_the_limits_that_it_counts_by(write: Write) -> None:
    for load, traffic in (
        ({"max_concurrency": 32}, {"concurrency": 32}),
        ({"request_rate": 12.0, "max_concurrency": None}, {"request_rate": 12.0}),
    ):
        data = {key: value for key, value in measured_at(**load).items() if key != "mean_e2el_ms"}
        path = write({**data, "request_goodput": 3.0, "mean_ttft_ms": None})
        assert "give --ttft" in dict(one(path, **H100, engine="vllm").not_compared)["goodput_per_s"]
        limited = rows(one(path, **H100, engine="vllm", tpot=0.0108))["goodput_per_s"]
        expected = llmperf.serve(
            model="llama-3.1-8b", **H100, engine="vllm", input=1024, output=256, tpot=0.0108, requests=320, **traffic
        )
        share = expected.value("within_limits")
        assert 0.05 < share < 0.99
        rate = traffic.get("request_rate") or expected.value("in_flight") / expected.value("e2e_s")
        assert limited.projection == pytest.approx(rate * share)
        assert limited.bound >= limited.projection


def test_flags_say_how_requests_come_where_the_run_says_otherwise(write: Write) -> None:
    path = write(measured_at(max_concurrency=32))
    for way in ({"concurrency": 4}, {"users": 40, "think_time": 3.0}, {"request_rate": 2.0}):
        found = one(path, **H100, **way)
        assert found.scenario is not None
        assert found.scenario.traffic is not None
        for name, value in way.items():
            assert getattr(found.scenario.traffic, name) == value
        expected = llmperf.serve(model="llama-3.1-8b", **H100, input=1024, output=256, **way)
        if "request_rate" not in way:  # there, Little's law holds
            assert rows(found)["tpot_p99_s"].projection == pytest.approx(expected.value("tpot_p99_s"))
    cached = rows(one(path, **H100, prefix_hit=0.9))
    assert cached["ttft_mean_s"].projection < rows(one(path, **H100))["ttft_mean_s"].projection


def test_arrivals_without_end_wait_without_end(write: Write) -> None:
    """aiperf without a count of requests: nothing ends the queue."""
    data = {key: value for key, value in GENAI.items() if key != "request_count"}
    data |= {"input_config": {"request_rate": 500.0, "model": ["Qwen/Qwen2.5-7B-Instruct"]}}
    found = one(write(data), **H100)
    assert "without end" in dict(found.not_compared)["ttft_mean_s"]
    assert "tpot_s" in rows(found)


def test_a_limit_of_requests_in_flight_holds_in_an_open_loop(write: Write) -> None:
    data = json.loads((RUNS / "vllm-serve-rate.json").read_text())
    found = one(write({**data, "max_concurrency": 3}), **H100)
    assert found.scenario is not None
    assert found.scenario.workload.batch == 3


@pytest.mark.parametrize("change", [{"ramp_up_strategy": "linear"}, {"request_rate": "trace"}])
def test_arrivals_that_are_not_steady_are_not_predicted(change: dict[str, str], write: Write) -> None:
    found = one(write({**SERVE, **change}), **H100, batch=8)
    assert not found.rows
    assert all("steady state" in why for key, why in found.not_compared if key in values(found.run))


@pytest.mark.parametrize(
    ("factor", "violation", "verdict"),
    [
        (0.97, True, "beats the bound"),
        (0.99, False, "between bound and projection"),
        (1.2, False, "between bound and projection"),
        (9.0, False, "slower than projected"),
    ],
)
def test_a_measurement_is_placed_against_bound_and_projection(
    factor: float, violation: bool, verdict: str, write: Write
) -> None:
    scenario = {"model": "llama-3.1-8b", **H100, "batch": 8, "input": 32, "output": 128}
    bound = llmperf.estimate(**scenario).bound.e2e_s
    found = one(write({"avg_latency": factor * bound}), **scenario)
    (row,) = found.rows
    assert (row.violation, row.verdict) == (violation, verdict)
    assert violation == any("beats the bound" in note for note in found.notes)


@pytest.mark.parametrize(("factor", "verdict"), [(1.03, "beats"), (1.01, "between"), (0.9, "between"), (0.1, "slower")])
def test_rates_are_placed_the_other_way_round(factor: float, verdict: str, write: Write) -> None:
    bound = rows(next(compare(read(write(ROW)))))["prompt_tokens_per_s"].bound
    (row,) = one(write({**ROW, "avg_ts": factor * bound})).rows
    assert row.verdict.startswith(verdict)
    assert row.fraction_of_bound == pytest.approx(factor)


@pytest.mark.parametrize("path", sorted(RUNS.iterdir()), ids=lambda path: path.name)
@pytest.mark.parametrize(
    "layout", [{}, {"model": "mixtral-8x7b", "tp": 2, "pp": 2}, {"model": "deepseek-v3", "dp": 8, "ep": 8}], ids=str
)
def test_no_projection_beats_its_bound_and_gaps_are_explained_in_full(path: Path, layout: dict[str, Any]) -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "h200-sxm", "weights": "fp8", "kv_cache": "fp8", **layout}
    for found in compare(read(path), None, {"batch": 20, "input": 900, "output": 77, **scenario}):
        assert found.rows
        for row in found.rows:
            better = row.projection <= row.bound if row.is_rate else row.bound <= row.projection
            assert better, row
            assert sum(row.explained_by.values()) == pytest.approx(1.0)
            assert set(row.explained_by) <= {*RESOURCES, OTHERS, ROOM}
            assert list(row.explained_by.values()) == sorted(row.explained_by.values(), reverse=True)


# --- the scenario -------------------------------------------------------------------------------------------------


def test_flags_go_before_the_run_and_the_run_before_a_scenarios_workload() -> None:
    scenario = {"model": "qwen3-8b", "hardware": "h200-sxm", "workload": {"batch": 3, "input": 10, "output": 20}}
    (found,) = compare(read(RUNS / "vllm-serve.json"), scenario, {"output": 200})
    assert found.scenario is not None
    work = found.scenario.workload
    assert (work.batch, work.input, work.output) == (32, 1024, 200)
    assert (found.scenario.model.name, found.scenario.hardware.name) == ("qwen3-8b", "h200-sxm")
    assert "the run names meta-llama/Llama-3.1-8B-Instruct as model, the scenario qwen3-8b" in found.notes
    (fewer,) = compare(read(RUNS / "vllm-serve.json"), scenario, {"batch": 4})
    assert fewer.scenario is not None
    assert fewer.scenario.workload.batch == 4


def test_a_batch_of_the_users_own_replaces_littles_law() -> None:
    found = one(RUNS / "vllm-serve-rate.json", **H100, batch=5)
    assert found.scenario is not None
    assert found.scenario.workload.batch == 5
    assert "output_tokens_per_s" in rows(found)


def test_a_scenario_gives_what_the_run_does_not_say() -> None:
    work = {"workload": {"batch": 8, "input": 32, "output": 128}}
    (found,) = compare(read(RUNS / "vllm-latency.json"), {"model": "llama-3.1-8b", **H100, **work})
    assert found.scenario is not None
    assert found.scenario.workload.batch == 8
    with pytest.raises(InputError) as caught:
        one(RUNS / "vllm-latency.json", model="llama-3.1-8b", **H100)
    assert [problem.path for problem in caught.value.problems] == [
        "workload.batch",
        "workload.input",
        "workload.output",
    ]


def test_model_formats_layout_and_a_known_gpu_come_from_the_run() -> None:
    scenario = one(RUNS / "trtllm-report.json").scenario
    assert scenario is not None
    assert (scenario.model.name, scenario.hardware.name, scenario.parallelism.tp) == ("llama-3.1-70b", "h100-sxm", 4)
    assert (scenario.weights.name, scenario.kv_cache.name) == ("fp8", "fp8")
    mine = one(RUNS / "trtllm-report.json", tp=8, weights="bf16", hardware="h200-sxm").scenario
    assert mine is not None
    assert (mine.parallelism.tp, mine.weights.name, mine.hardware.name) == (8, "bf16", "h200-sxm")


def test_a_value_of_the_hardware_overrides_the_gpu_that_the_run_names() -> None:
    found = one(RUNS / "aiperf.json", **{"hardware.tiers.hbm.bandwidth": 3e12})
    assert found.scenario is not None
    assert found.scenario.hardware.name == "a100-sxm-80gb"
    assert found.scenario.hardware.tiers["hbm"].bandwidth == 3e12


def test_hardware_is_never_guessed(write: Write) -> None:
    with pytest.raises(InputError, match="hardware: is missing"):
        one(RUNS / "vllm-serve.json")
    with pytest.raises(InputError, match="'NVIDIA GeForce RTX 9090', which the catalog does not know"):
        one(write({**ROW, "gpu_info": "NVIDIA GeForce RTX 9090"}))
    with pytest.raises(InputError, match="hardware: is missing"):
        one(write({**ROW, "gpu_info": "NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 3090"}))


def test_a_run_cannot_choose_a_file(tmp_path: Path, write: Write) -> None:
    shutil.copy(Path(__file__).parents[1] / "data/huggingface/Llama-3.1-8B.json", tmp_path / "config.json")
    with pytest.raises(InputError, match="which the catalog does not know"):
        one(write({**SERVE, "model_id": str(tmp_path / "config.json")}), **H100)
    assert one(write({**SERVE, "model_id": "x"}), model=str(tmp_path / "config.json"), **H100).rows


@pytest.mark.parametrize(
    ("model_id", "model", "weights", "says"),
    [
        ("openai/gpt-oss-20b", "gpt-oss-20b", "mxfp4", "released"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.1-70b", "fp8", "weights: fp8, by the name"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8", "qwen2.5-7b", "w8a16-g128", "model: qwen2.5-7b, by the name"),
    ],
)
def test_a_run_of_a_checkpoint_has_its_format(model_id: str, model: str, weights: str, says: str, write: Write) -> None:
    found = one(write({**SERVE, "model_id": model_id}), **H100)
    assert found.scenario is not None
    assert (found.scenario.model.name, found.scenario.weights.name) == (model, weights)
    assert any(says in note for note in found.notes)


# --- what people note beside the results --------------------------------------------------------------------------

BARE = {key: SERVE[key] for key in SERVE if not key.endswith("_ms")}


@pytest.mark.parametrize(
    "noted",
    [
        {"gpu": "H100-SXM", "tp": "2", "quantization": "fp8", "engine": "vllm"},  # --metadata gpu=... tp=2
        {"metadata": {"gpu_type": "H100 SXM", "tensor_parallel_size": 2, "precision": "FP8", "framework": "vllm"}},
        {"hyperparameters": {"tp_size": 2, "quantization": "fp8"}, "hardware": {"name": "h100-sxm"}, "engine": "vllm"},
        {"hw": "4xH100-SXM", "config": {"tp": 2, "quant": "fp8", "serving-engine": "vllm"}},
    ],
)
def test_hardware_layout_formats_and_engine_are_read_where_people_note_them(noted: Any, write: Write) -> None:
    scenario = one(write({**SERVE, **noted})).scenario
    assert scenario is not None
    assert (scenario.hardware.name, scenario.parallelism.tp) == ("h100-sxm", 2)
    assert (scenario.weights.name, scenario.engine.name) == ("fp8", "vllm")
    mine = one(write({**SERVE, **noted}), tp=4, weights="bf16", hardware="h200-sxm", engine="sglang").scenario
    assert mine is not None
    assert (mine.hardware.name, mine.parallelism.tp) == ("h200-sxm", 4)
    assert (mine.weights.name, mine.engine.name) == ("bf16", "sglang")


def test_a_number_of_devices_without_a_layout_is_used(write: Write) -> None:
    for noted in ({"gpu": "h100-sxm", "gpu_count": 4}, {"gpu": "4xH100-SXM"}):
        scenario = one(write({**SERVE, "metadata": noted})).scenario
        assert scenario is not None
        assert scenario.parallelism.tp == 4


def test_hyperparameters_say_the_batch_of_a_static_run(write: Write) -> None:
    noted = {"model": "llama-3.1-8b", "batch_size": 8, "input_len": 32, "output_len": 128, "gpu": "h100-sxm"}
    found = one(write({**json.loads((RUNS / "vllm-latency.json").read_text()), "hyperparameters": noted}))
    expected = one(RUNS / "vllm-latency.json", model="llama-3.1-8b", **H100, batch=8, input=32, output=128)
    assert found.rows == expected.rows


def test_what_is_noted_and_not_known_is_said(write: Write) -> None:
    found = one(write({**SERVE, "engine": "our-engine", "quantization": "auto"}), **H100)
    assert any("'our-engine'" in note for note in found.notes)
    with pytest.raises(InputError, match="'frob8', which the catalog does not know"):
        one(write({**SERVE, "quantization": "frob8"}), **H100)
    with pytest.raises(InputError, match="hardware"):
        one(write({**SERVE, "gpu": "./h100-sxm.yaml"}))


def test_what_is_released_in_fp8_blocks_is_so_where_a_run_says_fp8(write: Write) -> None:
    for noted in ({}, {"quantization": "fp8"}):
        path = write({**SERVE, "model_id": "deepseek-ai/DeepSeek-R1", **noted})
        scenario = one(path, hardware="h200-sxm", tp=8).scenario
        assert scenario is not None
        assert scenario.weights.name == "fp8-block"


def test_keys_without_milliseconds_are_seconds_and_none_of_them_is_dropped(write: Write) -> None:
    times = {"median_ttft": 0.4, "median_tpot": 0.02, "p99_e2el": 5.1, "mean_ttft": 0.3, "mean_tpot_s": 0.015}
    found = one(write({**BARE, **times, "mean_intvty": 66.0}), **H100)
    assert "mean_intvty" in dict(found.not_compared)
    assert values(found.run)["ttft_mean_s"] == 0.3
    assert [values(found.run)[name] for name in ("ttft_p50_s", "tpot_p50_s", "e2e_p99_s")] == [0.4, 0.02, 5.1]
    assert values(found.run)["tpot_s"] == 0.015
    (note,) = (one for one in found.notes if "read in seconds" in one)
    assert note.startswith("mean_ttft, median_ttft, median_tpot, p99_e2el: no unit")
    spelled = {"mean_ttft_ms": 300.0, "mean_tpot_ms": 15.0, "median_ttft_ms": 400.0}
    spelled |= {"median_tpot_ms": 20.0, "p99_e2el_ms": 5100.0}
    in_milliseconds = one(write({**BARE, **spelled}), **H100)
    assert values(in_milliseconds.run) == pytest.approx(values(found.run))


def test_without_the_input_configuration_littles_law_says_how_many_are_in_flight(write: Write) -> None:
    stated = json.loads((RUNS / "aiperf.json").read_text())
    bare = {
        **{key: value for key, value in stated.items() if key != "input_config"},
        "request_throughput": {"unit": "requests/sec", "avg": 0.8},
        "request_latency": {"unit": "ms", "avg": 2500.0},
        "request_count": {"unit": "requests", "avg": 10.0},
    }
    (run,) = read(write(bare))
    assert (run.load.kind, run.load.concurrency) == ("closed", 2)
    assert any("Little's law" in note for note in run.notes)
    del bare["request_latency"]
    with pytest.raises(InputError, match="give --batch"):
        one(write(bare), model="llama-3.1-8b", **H100)


@pytest.mark.parametrize(
    ("backends", "date", "engine"),
    [
        ("CUDA", "2025-05-01T00:00:00Z", "llama.cpp-cuda"),
        ("CUDA", "2024-03-01T00:00:00Z", "llama.cpp-cuda-2024"),
        ("ROCm", "", "llama.cpp-cuda"),
        ("MTL,BLAS", "2025-05-01T00:00:00Z", "llama.cpp-metal"),
        ("Metal", "2024-03-01T00:00:00Z", "llama.cpp-metal-2024"),
        ("Vulkan", "", "llama.cpp-vulkan"),
        ("CPU", "", "llama.cpp-cpu"),
        ("SYCL", "", "generic"),
    ],
)
def test_llama_bench_names_its_engine(backends: str, date: str, engine: str, write: Write) -> None:
    scenario = one(write({**ROW, "backends": backends, "test_time": date})).scenario
    assert scenario is not None
    assert scenario.engine.name == engine


def test_a_run_that_is_too_long_for_the_model_is_listed_beside_the_others(write: Write) -> None:
    long, short = compare(read(write([{**ROW, "n_prompt": 100_000}, ROW])))
    assert not long.rows
    assert "llama-2-7b" in dict(long.not_compared)["prompt_tokens_per_s"]
    assert short.rows
    with pytest.raises(InputError):
        one(write([{**ROW, "n_prompt": 100_000}]))


def test_speculation_offloading_and_several_gpus_are_said(write: Write) -> None:
    notes = one(write({**SERVE, "spec_decode_acceptance_length": 2.4}), **H100).notes
    assert any("2.4 accepted a step" in note for note in notes)
    changed = {**ROW, "n_gpu_layers": 20, "gpu_info": "NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 4090"}
    notes = one(write(changed)).notes
    assert any("20 of 32 layers" in note for note in notes)
    assert any("--pp 2" in note for note in notes)
    assert any("--activations int8" in note for note in notes)
    assert not any("layers were on the GPU" in note for note in one(write(ROW)).notes)


# --- the command --------------------------------------------------------------------------------------------------

Run_ = Callable[..., CompletedProcess[str]]


def test_the_command_answers_as_json(answer: Callable[..., dict[str, Any]]) -> None:
    data = answer("compare", "--measured", str(RUNS / "sglang.jsonl"), "--hardware", "h100-sxm")
    assert (data["schema_version"], data["tool"], len(data["runs"])) == (1, "sglang bench_serving", 2)
    for run in data["runs"]:
        assert {"label", "scenario", "rows", "not_compared"} <= set(run)
        assert run["scenario"]["model"]["name"] == "llama-3.1-8b"
        for row in run["rows"]:
            assert {"metric", "measured", "bound", "projection", "fraction_of_bound", "error", "violation"} <= set(row)
            assert row["error"] == pytest.approx(row["projection"] / row["measured"] - 1)
            assert isinstance(row["explained_by"], dict)
        assert all(set(item) == {"metric", "why"} for item in run["not_compared"])


@pytest.mark.parametrize("path", sorted(RUNS.iterdir()), ids=lambda path: path.name)
def test_the_table_fits_100_columns_and_cuts_no_number(path: Path, run: Run_) -> None:
    flags = ["--model", "llama-3.1-8b", "--hardware", "h100-sxm", "--batch", "8", "--input", "128", "--output", "64"]
    done = run("compare", "--measured", str(path), *flags)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout
    for word in ("measured", "bound", "projection", "of bound", "error", "from bound to projection"):
        assert word in done.stdout


@pytest.mark.parametrize(("most", "code"), [("10", 0), ("0.01", 1)])
def test_an_error_beyond_what_is_allowed_fails(most: str, code: int, run: Run_) -> None:
    flags = ["--measured", str(RUNS / "vllm-serve.json"), "--hardware", "h100-sxm", "--max-error", most]
    done = run("compare", *flags, "--json")
    assert done.returncode == code
    assert json.loads(done.stdout)["runs"]


def test_a_check_that_compared_nothing_fails(run: Run_, write: Write) -> None:
    path = write({**SERVE, "request_rate": "trace"})
    flags = ["--measured", str(path), "--hardware", "h100-sxm", "--batch", "8"]
    assert run("compare", *flags).returncode == 0
    assert run("compare", *flags, "--max-error", "10").returncode == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "compare: needs two configurations: scenarios, or what differs; or the output file of a benchmark"),
        (["--measured", str(RUNS / "vllm-serve.json"), "--max-error", "-1"], "--max-error: -1 is not a fraction"),
        (["--measured", str(RUNS / "vllm-serve.json"), "--max-error", "nan"], "--max-error: nan is not a fraction"),
        (["--measured", "nothing.json"], "nothing.json: no such file"),
        (["--measured", __file__], "no output of a benchmark that is recognized"),
    ],
)
def test_wrong_input_is_one_message_and_code_2(flags: list[str], words: str, run: Run_) -> None:
    done = run("compare", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    errors = json.loads(run("compare", *flags, "--json").stdout)["errors"]
    assert errors[0]["message"]
