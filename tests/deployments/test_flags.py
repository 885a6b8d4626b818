"""Flags of servers: their order, their files, what they set, and what is not understood."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.helping import DATA, H100, kinds, served, written
from llmperf.deployments import read

FLAGS = [
    "--tensor-parallel-size 4",
    "--quantization fp8",
    "--kv-cache-dtype=fp8",
    "--max-model-len 4096",
    "--max_num_seqs 77",
    "--gpu-memory-utilization .8",
    "--enforce-eager",
    "--no-enable-prefix-caching",
    "--no-enable-chunked-prefill",
    "--enable-expert-parallel",
    "-dp 2",
    "--dtype float16",
    "--port 80",
    "--served-model-name a b",
    "--trust-remote-code",
]


@given(order=st.permutations(FLAGS), split=st.integers(0, len(FLAGS)))
def test_the_order_of_flags_changes_nothing(
    order: list[str], split: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    model = "mixtral-8x7b"
    plain = served(folder, " ".join(FLAGS), model)
    assert plain.scenario["parallelism"] == {"tp": 4, "dp": 2, "ep": 8}
    assert plain.scenario["engine"]["token_budget"] == 4096
    other = read(written(folder, "b.sh", f"vllm serve --model {model} " + " \\\n  ".join(order) + "\n"))[0]
    assert other.scenario == plain.scenario
    as_list = ["vllm", "serve", *shlex.split(" ".join(order[:split])), "--model", model]
    as_list += shlex.split(" ".join(order[split:]))
    path = folder / "c.json"
    path.write_text(json.dumps(as_list))
    assert read(path)[0].scenario == plain.scenario


NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=3, max_size=20).map(lambda name: f"--zz{name.strip('-')}")


@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True), value=st.sampled_from(["", " 3", "=x", " 'a b'"]))
def test_unknown_flags_are_always_reported(
    names: list[str], value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("unknown")
    for tool in ("vllm serve m", "python -m sglang.launch_server --model m", "trtllm-serve m"):
        text = f"{tool} --port 1 " + " ".join(name + value for name in names)
        (one,) = read(written(folder, "run.sh", text))
        assert {finding.name for finding in one.findings if finding.kind == "not_understood"} >= set(names)


def test_the_last_of_two_equal_flags_holds(tmp_path: Path) -> None:
    one = served(tmp_path, "--tensor-parallel-size 4 --tensor-parallel-size 2")
    assert one.scenario["parallelism"] == {"tp": 2}
    assert [finding.kind for finding in one.findings if "tensor" in finding.name] == ["ignored", "understood"]


def test_flags_override_the_file_that_they_name(tmp_path: Path) -> None:
    written(tmp_path, "config.yaml", "tensor-parallel-size: 4\nmax-num-seqs: 9\nwhat-is-this: 1\n")
    one = served(tmp_path, "--config config.yaml --tensor-parallel-size 2")
    assert one.scenario["parallelism"] == {"tp": 2}
    assert one.scenario["engine"] == {"extends": "vllm", "max_sequences": 9}
    assert kinds(one)["what-is-this"] == "not_understood"
    assert kinds(served(tmp_path, "--config /etc/other.yaml"))["--config"] == "not_understood"
    assert kinds(served(tmp_path, "--config ../../x/y.yaml"))["--config"] == "not_understood"


def test_data_parallel_ranks_are_copies_where_a_model_has_no_experts(tmp_path: Path) -> None:
    assert served(tmp_path, "--data-parallel-size 4").scenario["parallelism"] == {"replicas": 4}
    assert served(tmp_path, "--data-parallel-size 4", "mixtral-8x7b").scenario["parallelism"] == {"dp": 4}
    unknown = served(tmp_path, "--data-parallel-size 4", "nobody/nothing")
    assert unknown.scenario["parallelism"] == {"dp": 4}
    assert any(finding.kind == "assumed" and "experts" in finding.message for finding in unknown.findings)


def test_weights_beyond_the_device_are_placed_where_model_and_host_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", "vllm serve facebook/opt-30b --cpu-offload-gb 30\n")
    (one,) = read(path, hardware="t4-gcp")
    assert one.scenario["placement"]["weights"] == pytest.approx(1 - 30 * 2**30 / 60e9, abs=0.01)
    (one,) = read(path, hardware=H100)
    assert "placement" not in one.scenario
    assert kinds(one)["--cpu-offload-gb"] == "not_modelled"


def test_a_layout_that_uses_other_devices_than_are_asked_for_is_said() -> None:
    (_, mistral) = read(DATA / "k8s.yaml")
    assert any("2 devices, but its layout uses 1" in finding.message for finding in mistral.findings)


def test_a_deployment_says_the_longest_context_and_most_sequences_that_it_accepts(tmp_path: Path) -> None:
    one = served(tmp_path, "--max-model-len 4k --max-num-seqs 9")
    assert (one.tool, one.max_context, one.max_sequences) == ("vllm", 4000, 9)
    one = served(tmp_path, "")
    assert (one.max_context, one.max_sequences) == (None, None)
    assert read(DATA / "torchtitan.toml")[0].tool == ""


@pytest.mark.parametrize(
    ("flag", "path", "value"),
    [
        ("--gpu-memory-util 0.5", "engine.utilization", 0.5),
        ("--max-num-seq=64", "engine.max_sequences", 64),
        ("--enforce", "engine.graphs", False),
        ("--tensor_parallel_s 2", "parallelism.tp", 2),
        ("--max-model 4096", "model.max_context", 4096),
    ],
)
def test_a_flag_may_be_cut_while_it_stays_the_only_one(flag: str, path: str, value: object, tmp_path: Path) -> None:
    one = served(tmp_path, f"{flag} --port 1")
    section, key = path.split(".")
    assert one.scenario[section][key] == value


def test_a_cut_flag_that_may_be_several_is_not_understood(tmp_path: Path) -> None:
    assert kinds(served(tmp_path, "--max-num 3"))["--max-num"] == "not_understood"
    written(tmp_path, "c.yaml", "max-num-seq: 3\n")
    assert kinds(served(tmp_path, "--config c.yaml"))["max-num-seq"] == "not_understood"
    (one,) = read(written(tmp_path, "t.sh", "trtllm-serve m --max_batch 3\n"))
    assert kinds(one)["--max_batch"] == "not_understood"


@pytest.mark.parametrize(
    ("flags", "parallelism"),
    [
        ("--moe-a2a-backend deepep", {"tp": 8, "ep": 8}),
        ("--moe-a2a-backend none", {"tp": 8}),
        ("--enable-deepep-moe", {"tp": 8, "ep": 8}),
        ("--moe-a2a-backend deepep --dp 8 --enable-dp-attention", {"tp": 1, "dp": 8, "ep": 8}),
    ],
)
def test_sglang_spreads_experts_as_its_backend_does(flags: str, parallelism: dict[str, int], tmp_path: Path) -> None:
    text = f"python3 -m sglang.launch_server --model-path deepseek-r1 --tp 8 {flags}\n"
    assert read(written(tmp_path, "run.sh", text))[0].scenario["parallelism"] == parallelism


@pytest.mark.parametrize(
    ("command", "form", "kv_cache"),
    [
        ("vllm serve qwen3-8b --kv-cache-dtype", "fp8_e5m2", "fp8"),
        ("vllm serve qwen3-8b --kv-cache-dtype", "int8_per_token_head", "int8-per-token"),
        ("vllm serve qwen3-8b --kv-cache-dtype", "int4", None),
        ("vllm serve qwen3-8b --kv-cache-dtype", "q8_0", None),
        ("sglang serve --model-path qwen3-8b --kv-cache-dtype", "fp8_e4m3", "fp8"),
        ("sglang serve --model-path qwen3-8b --kv-cache-dtype", "int8", None),
        ("trtllm-serve qwen3-8b --kv_cache_dtype", "int8", "int8-per-token"),
        ("trtllm-serve qwen3-8b --kv_cache_dtype", "int4", None),
    ],
)
def test_formats_of_the_cache_are_those_of_the_engine(
    command: str, form: str, kv_cache: str | None, tmp_path: Path
) -> None:
    one = read(written(tmp_path, "run.sh", f"{command} {form}\n"))[0]
    assert one.scenario.get("kv_cache") == kv_cache
    assert ("not_understood" in kinds(one).values()) == (kv_cache is None)


def test_variables_are_reported_where_they_are_set(tmp_path: Path) -> None:
    script = (
        "export VLLM_CONFIGURE_LOGGING=0 VLLM_SKIP_P2P_CHECK=1\nexport VLLM_ATTENTION_BACKEND=FLASHINFER\n"
        "VLLM_NEW=1\nexport VLLM_NEW\nVLLM_OTHER=1 bash -c 'vllm serve qwen3-8b'\n"
    )
    one = read(written(tmp_path, "run.sh", script))[0]
    lines = {finding.name: (finding.kind, finding.line) for finding in one.findings}
    assert lines["VLLM_ATTENTION_BACKEND"] == ("not_modelled", 2)
    assert lines["VLLM_NEW"] == ("not_understood", 3)
    assert lines["VLLM_OTHER"] == ("not_understood", 5)
    assert not {"VLLM_CONFIGURE_LOGGING", "VLLM_SKIP_P2P_CHECK"} & lines.keys()
