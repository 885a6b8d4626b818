"""Deployment files: the scenario of each format, a finding for everything written, and hostile files."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.deployments import Deployment, Finding, is_deployment, read
from llmperf.deployments.accelerators import PRODUCTS, product
from llmperf.deployments.formats import KV_CACHE, WEIGHTS
from llmperf.deployments.images import ENGINES, tool_of, version_of
from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.resolve import resolve

DATA = Path(__file__).parents[1] / "data/deployments"
H100 = "h100-sxm"
Run = Callable[..., CompletedProcess[str]]

SCENARIOS: dict[str, dict[str, dict[str, Any]]] = {
    "vllm-serve.sh": {
        "vllm-serve": {
            "model": {"extends": "llama-3.1-70b", "max_context": 32000},
            "weights": "fp8",
            "kv_cache": "fp8",
            "parallelism": {"tp": 8},
            "engine": {
                "extends": "vllm",
                "kv_block": 32,
                "max_sequences": 128,
                "shared_prefix_cache": True,
                "token_budget": 16384,
                "utilization": 0.92,
            },
        }
    },
    "vllm-args.json": {
        "vllm-args": {
            "model": "mixtral-8x7b",
            "activations": "fp16",
            "parallelism": {"dp": 4, "ep": 8, "tp": 2},
            "engine": {"extends": "vllm", "graphs": False},
        }
    },
    "vllm-config.yaml": {
        "vllm-config": {
            "model": {"extends": "qwen3-32b", "max_context": 16384},
            "weights": "w4a16-g128",
            "parallelism": {"tp": 2},
            "engine": {"extends": "vllm", "max_sequences": 64, "shared_prefix_cache": False, "utilization": 0.85},
        }
    },
    "vllm-docker.sh": {
        "vllm-docker": {"model": {"extends": "mistral-7b-v0.3", "max_context": 8192}, "engine": "vllm-2024"}
    },
    "sglang.sh": {
        "sglang": {
            "model": {"extends": "llama-3.1-405b", "max_context": 65536},
            "weights": "fp8",
            "parallelism": {"tp": 16},
            "engine": {"extends": "sglang", "shared_prefix_cache": False, "token_budget": 65536},
        }
    },
    "trtllm.sh": {
        "trtllm": {
            "model": {"extends": "gpt-oss-120b", "max_context": 16384},
            "weights": "mxfp4",
            "kv_cache": "fp8",
            "parallelism": {"ep": 4, "tp": 4},
            "engine": {
                "extends": "tensorrt-llm",
                "graphs": False,
                "max_sequences": 512,
                "token_budget": 4096,
                "utilization": 0.85,
            },
        }
    },
    "k8s.yaml": {
        "llama": {
            "model": {"extends": "llama-3.1-70b", "max_context": 16384},
            "hardware": "h100-sxm",
            "parallelism": {"replicas": 3, "tp": 4},
            "engine": "vllm",
        },
        "mistral": {"model": "mistral-7b-v0.3", "hardware": "l4", "engine": {"extends": "vllm", "max_sequences": 32}},
    },
    "lws-sglang.yaml": {
        "deepseek": {
            "model": "deepseek-v3",
            "weights": "fp8-block",
            "hardware": "h200-sxm",
            "parallelism": {"dp": 16, "ep": 16, "replicas": 2, "tp": 1},
            "engine": {"extends": "sglang", "max_sequences": 64, "token_budget": 32768, "utilization": 0.85},
        }
    },
    "production-stack.yaml": {
        "llama3": {
            "model": {"extends": "llama-3.1-8b", "max_context": 16384},
            "hardware": "a100-sxm-80gb",
            "parallelism": {"replicas": 2},
            "engine": {
                "extends": "vllm",
                "max_sequences": 32,
                "shared_prefix_cache": False,
                "token_budget": 16384,
                "utilization": 0.9,
            },
        }
    },
    "llm-d.yaml": {
        "decode": {
            "model": {"extends": "qwen3-32b", "max_context": 32000},
            "hardware": "h100-sxm",
            "parallelism": {"replicas": 2, "tp": 4},
            "engine": {"extends": "vllm", "kv_block": 128},
        },
        "prefill": {
            "model": {"extends": "qwen3-32b", "max_context": 32000},
            "hardware": "h100-sxm",
            "parallelism": {"replicas": 4, "tp": 1},
            "engine": "vllm",
        },
    },
    "kserve.yaml": {
        "llama3": {
            "model": {"extends": "llama-3.1-8b", "max_context": 8192},
            "hardware": {"extends": "aws-g6e", "devices": None},
            "parallelism": {"replicas": 2},
            "engine": "vllm",
        },
        "granite": {"model": "mistral-7b-v0.3", "engine": {"extends": "vllm", "utilization": 0.8}},
        "qwen": {
            "model": {"extends": "qwen3-30b-a3b", "max_context": 8192},
            "parallelism": {"dp": 4, "ep": 8, "replicas": 2, "tp": 2},
            "engine": {"extends": "vllm", "graphs": False},
        },
    },
    "dynamo-trtllm.yaml": {
        "agg/Worker": {
            "model": "deepseek-r1",
            "weights": "nvfp4",
            "kv_cache": "fp8",
            "hardware": "b200-sxm",
            "parallelism": {"dp": 4, "ep": 4, "replicas": 2},
            "engine": {
                "extends": "tensorrt-llm",
                "max_sequences": 256,
                "shared_prefix_cache": False,
                "token_budget": 8192,
                "utilization": 0.9,
            },
        }
    },
    "dynamo-sglang.yaml": {
        f"disagg/{part}": {
            "model": "qwen3-0.6b",
            "parallelism": {"tp": 1},
            "engine": {"extends": "sglang", "kv_block": 16},
        }
        for part in ("decode", "prefill")
    },
    "compose.yaml": {
        "chat": {
            "model": {"extends": "qwen2.5-14b", "max_context": 8192},
            "weights": "w4a16-g128",
            "parallelism": {"tp": 2},
            "engine": "vllm",
        },
        "small": {
            "model": "llama-3.2-1b",
            "parallelism": {"replicas": 2},
            "engine": {"extends": "sglang", "graphs": False},
        },
    },
    "torchtitan.toml": {
        "torchtitan": {
            "model": "llama-3.1-70b",
            "parallelism": {"dp": 32, "pp": 1, "tp": 8},
            "training": {
                "tool": "torchtitan",
                "dp_replicate": 2,
                "dp_shard": 16,
                "micro_batch": 2,
                "optimizer": "AdamW",
                "recompute": "full",
                "sequence": 8192,
            },
        }
    },
    "deepspeed.json": {
        "deepspeed": {
            "training": {
                "tool": "deepspeed",
                "accumulation": 8,
                "bf16": True,
                "micro_batch": 4,
                "offload_optimizer": "cpu",
                "optimizer": "AdamW",
                "zero": 3,
            }
        }
    },
    "megatron.sh": {
        "megatron": {
            "model": "gpt3-175b",
            "parallelism": {"dp": 1, "pp": 16, "tp": 8},
            "training": {"tool": "megatron", "bf16": True, "global_batch": 1536, "micro_batch": 1, "sequence": 2048},
        }
    },
}


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def served(folder: Path, arguments: str, model: str = "llama-3.1-8b") -> Deployment:
    return read(written(folder, "run.sh", f"vllm serve {model} {arguments}\n"))[0]


def kinds(deployment: Deployment) -> dict[str, str]:
    return {finding.name: finding.kind for finding in deployment.findings}


# --- Every format ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir()))
def test_each_format_becomes_exactly_this_scenario(name: str) -> None:
    found = {one.name: one.scenario for one in read(DATA / name)}
    assert found == SCENARIOS[name]


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir()))
def test_each_scenario_is_answered_or_refused_for_training_alone(name: str) -> None:
    for one in read(DATA / name):
        if "training" in one.scenario:
            with pytest.raises(InputError, match="training cannot be estimated"):
                resolve(one.scenario, {"hardware": H100})
            assert any(finding.name == "training" and finding.kind == "not_modelled" for finding in one.findings)
        else:
            over = {} if "hardware" in one.scenario else {"hardware": "h200-sxm"}
            assert llmperf.estimate(one.scenario, batch=8, input=100, output=10, **over).tpot_s > 0


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir()))
def test_every_finding_is_plain_data_and_says_what_it_sets(name: str) -> None:
    for one in read(DATA / name):
        data = json.loads(json.dumps(one.to_dict(), allow_nan=False))
        assert data["format"]
        assert {finding["kind"] for finding in data["findings"]} <= {
            "understood",
            "assumed",
            "ignored",
            "not_modelled",
            "not_understood",
        }
        for finding in data["findings"]:
            assert finding["kind"] == "understood" or finding["message"]
            if finding["path"] and finding["kind"] == "understood" and finding["path"] != "parallelism.replicas":
                assert one.scenario[finding["path"].partition(".")[0]] is not None


def test_what_changes_the_answer_and_is_not_modelled_is_said() -> None:
    found = kinds(read(DATA / "vllm-serve.sh")[0])
    assert found["--speculative-config"] == found["--enable-lora"] == "not_modelled"
    assert found["--port"] == found["--swap-space"] == "ignored"
    found = kinds(read(DATA / "vllm-docker.sh")[0])
    assert found["--some-new-flag"] == found["VLLM_ATTENTION_BACKEND"] == "not_understood"


def test_no_secret_is_repeated() -> None:
    for name in ("vllm-serve.sh", "vllm-docker.sh"):
        assert "secret" not in json.dumps([one.to_dict() for one in read(DATA / name)])


def test_lines_are_those_of_the_flags() -> None:
    (one,) = read(DATA / "vllm-serve.sh")
    lines = (DATA / "vllm-serve.sh").read_text().splitlines()
    for finding in one.findings:
        if finding.name.startswith("--") and finding.line:
            assert finding.name in lines[finding.line - 1]
    (one, _) = read(DATA / "k8s.yaml")
    lines = (DATA / "k8s.yaml").read_text().splitlines()
    flag = next(finding for finding in one.findings if finding.name == "--max-model-len")
    assert "--max-model-len" in lines[(flag.line or 0) - 1]


def test_a_command_that_starts_a_part_of_a_server_is_no_deployment_of_its_own() -> None:
    assert len(read(DATA / "sglang.sh")) == 1


def test_hugging_face_files_are_models_alone(tmp_path: Path) -> None:
    config = Path(__file__).parents[1] / "data/huggingface/opt-30b.json"
    (one,) = read(config, hardware=H100)
    assert one.scenario == {"model": str(config), "hardware": H100}
    (tmp_path / "config.json").write_text(config.read_text())
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"metadata": {}, "weight_map": {"a": "model-1.safetensors"}}')
    assert read(index)[0].scenario == {"model": str(tmp_path / "config.json")}
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match="not beside it"):
        read(index)


# --- Flags -----------------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize(
    ("method", "weights", "kind"),
    [
        ("fp8", "fp8", "understood"),
        ("awq_marlin", "w4a16-g128", "assumed"),
        ("modelopt_fp4", "nvfp4", "understood"),
        ("fp9", None, "not_understood"),
        ("compressed-tensors", None, "not_understood"),
    ],
)
def test_quantizations_are_formats_of_the_catalog(method: str, weights: Any, kind: str, tmp_path: Path) -> None:
    one = served(tmp_path, f"--quantization {method}")
    assert one.scenario.get("weights") == weights
    assert kinds(one)["--quantization"] == kind


def test_an_unknown_quantization_names_the_nearest(tmp_path: Path) -> None:
    one = served(tmp_path, "--quantization awq_marlim")
    assert any("awq-marlin" in finding.message for finding in one.findings)


def test_checkpoints_tell_their_format_by_name_or_as_their_makers_release_them(tmp_path: Path) -> None:
    cases = {
        "RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8-dynamic": ("llama-3.1-70b", "fp8"),
        "nvidia/Llama-3.1-8B-Instruct-FP8": ("llama-3.1-8b", "fp8"),
        "Qwen/Qwen2.5-7B-Instruct-AWQ": ("qwen2.5-7b", "w4a16-g128"),
        "deepseek-ai/DeepSeek-R1-0528": ("deepseek-r1", "fp8-block"),
        "openai/gpt-oss-20b": ("gpt-oss-20b", "mxfp4"),
        "moonshotai/Kimi-K2-Instruct-0905": ("kimi-k2", "fp8-block"),
        "deepseek-ai/DeepSeek-V3.1-Base": ("deepseek-v3", "fp8-block"),
        "unsloth/DeepSeek-V3-bf16": ("deepseek-v3", "bf16"),
        "unsloth/gpt-oss-20b-BF16": ("gpt-oss-20b", "bf16"),
        "moonshotai/Kimi-K2-Thinking": ("kimi-k2", None),
        "meta-llama/Llama-3.1-8B-Instruct": ("llama-3.1-8b", None),
        "/models/Meta-Llama-3.1-8B-Instruct/": ("llama-3.1-8b", None),
    }
    for reference, (model, weights) in cases.items():
        scenario = served(tmp_path, "", reference).scenario
        assert (scenario["model"], scenario.get("weights")) == (model, weights), reference


def test_weights_beyond_the_device_are_placed_where_model_and_host_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", "vllm serve facebook/opt-30b --cpu-offload-gb 30\n")
    (one,) = read(path, hardware="t4-gcp")
    assert one.scenario["placement"]["weights"] == pytest.approx(1 - 30 * 2**30 / 60e9, abs=0.01)
    (one,) = read(path, hardware=H100)
    assert "placement" not in one.scenario
    assert kinds(one)["--cpu-offload-gb"] == "not_modelled"


def test_variables_are_those_of_the_file(tmp_path: Path) -> None:
    one = served(tmp_path, "--tensor-parallel-size $TP --max-num-seqs $(nproc) --block-size ${B:-8} --seed `date`")
    assert one.scenario["engine"] == {"extends": "vllm", "kv_block": 8}
    found = {finding.name: finding for finding in one.findings}
    assert found["--tensor-parallel-size"].kind == found["--max-num-seqs"].kind == "not_understood"
    assert "$TP" in found["--tensor-parallel-size"].message


def test_nothing_of_a_script_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = written(tmp_path, "a.sh", f"X=$(touch {marker}); touch {marker}; vllm serve `touch {marker}` --port 1\n")
    read(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("image", "tool", "version"),
    [
        ("vllm/vllm-openai:v0.6.3.post1", "vllm", (0, 6)),
        ("registry:5000/vllm/vllm-openai:v0.10.1", "vllm", (0, 10)),
        ("vllm/vllm-openai@sha256:abc", "vllm", None),
        ("ghcr.io/llm-d/llm-d-cuda:v0.3.0", "vllm", None),
        ("lmsysorg/sglang:v0.5.2-cu126", "sglang", (0, 5)),
        ("nvcr.io/nvidia/tensorrt-llm/release:0.12.0", "tensorrt-llm", (0, 12)),
        ("nvcr.io/nvidia/tritonserver:24.07-trtllm-python-py3", "tensorrt-llm", (0, 9)),
        ("nginx:1.27", None, None),
    ],
)
def test_images_tell_the_tool_and_perhaps_its_version(image: str, tool: str | None, version: Any) -> None:
    assert (tool_of(image), version_of(image)) == (tool, version)


def test_names_in_tables_are_entries_of_the_catalog() -> None:
    for kind, names in (
        ("weights", {form for form, _ in WEIGHTS.values() if isinstance(form, str)}),
        ("kv_cache", set(KV_CACHE.values())),
        ("engine", {name for engines in ENGINES.values() for _, name in engines}),
        ("hardware", set(PRODUCTS.values())),
    ):
        for name in names:
            assert catalog.find(kind, name).stem == name


def test_labels_name_hardware_and_what_is_given_goes_before(tmp_path: Path) -> None:
    assert product("NVIDIA-H100-80GB-HBM3") == "h100-sxm"
    assert product("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb") == "a100-sxm-80gb-mig-1g"
    assert product("NVIDIA-L40S-SHARED") == "l40s"
    assert product("something-else") is None
    (one, _) = read(DATA / "k8s.yaml", hardware="h200-sxm")
    assert one.scenario["hardware"] == "h200-sxm"
    path = written(tmp_path, "a.yaml", (DATA / "k8s.yaml").read_text().replace("NVIDIA-H100-80GB-HBM3", "NVIDIA-X9"))
    (one, _) = read(path)
    assert "hardware" not in one.scenario
    assert kinds(one)["nvidia.com/gpu.product"] == "not_understood"


def test_a_layout_that_uses_other_devices_than_are_asked_for_is_said() -> None:
    (_, mistral) = read(DATA / "k8s.yaml")
    assert any("2 devices, but its layout uses 1" in finding.message for finding in mistral.findings)


# --- Wrong and hostile files -----------------------------------------------------------------------------------------


def test_all_wrong_values_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    text = "model: llama-3.1-8b\ntensor-parallel-size: two\nmax-model-len: -5\ngpu-memory-utilization: 3\n"
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, "a.yaml", text))
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (2, "tensor-parallel-size"),
        (3, "max-model-len"),
        (4, "gpu-memory-utilization"),
    ]


def test_a_file_of_another_kind_gets_one_error_that_names_what_is_supported(tmp_path: Path) -> None:
    for name, text in (
        ("a.yaml", "a: 1\n"),
        ("a.json", "{}"),
        ("a.toml", "[tool.x]\ny = 1\n"),
        ("a.sh", "echo hello\n"),
        ("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"),
    ):
        with pytest.raises(InputError, match="Kubernetes workloads") as caught:
            read(written(tmp_path, name, text))
        assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "kind: Deployment\nspec: 5\n", "not a mapping"),
        ("a.yaml", "kind: Deployment\nspec: {replicas: two}\n", "not a whole number"),
        ("a.yaml", "kind: Pod\nspec: {containers: {a: 1}}\n", "not a list"),
        ("a.yaml", "kind: Pod\nspec: {containers: [{image: vllm/vllm-openai, args: [[1]]}]}\n", "not a text"),
        ("a.yaml", "services: {a: {image: [1]}}\n", "not a text"),
        ("a.yaml", "servingEngineSpec: {modelSpec: 3}\n", "not a list"),
        ("a.yaml", "{{ .Values.x }}\nkind: Pod\n", "helm template"),
        ("a.sh", "vllm serve 'm\n", "no closing quotation"),
        ("a.sh", "vllm serve $'\\x00' \0", "binary"),
        ("a.toml", "a = [\n", "not TOML"),
        ("a.json", '["vllm", "serve", ', "not JSON"),
        ("a.yaml", "kind: Pod\nspec: !!python/object:os.system {}\n", "tags are not allowed"),
        ("a.toml", "a = " + "[" * 60 + "]" * 60, "nested deeper"),
    ],
)
def test_wrong_types_are_refused_in_one_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(written(tmp_path, name, text))
    assert all(problem.file for problem in caught.value.problems)
    assert str(caught.value).isprintable()


def test_bombs_and_huge_files_are_refused(tmp_path: Path) -> None:
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9)]
    bomb = "l0: &l0 [x, x, x]\n" + "\n".join(levels) + "\nkind: Pod\n"
    merged = "a0: &a0 {x: 1}\n" + "\n".join(
        f"a{i}: &a{i}\n" + "".join(f"  k{j}: {{<<: *a{i - 1}}}\n" for j in range(9)) for i in range(1, 9)
    )
    doubled = "A=xxxxxxxxxx\n" + "A=$A$A$A$A$A$A$A$A\n" * 50 + "vllm serve $A" + " $A" * 5000 + "\n"
    arrays = "A=(" + "x " * 9000 + ")\nvllm serve " + "${A[@]} " * 9000 + "\n"
    many = "vllm serve m " + " ".join(f"--x{i}" for i in range(5000)) + "\n"
    pods = "---\n".join(
        f"kind: Pod\nmetadata: {{name: p{i}}}\nspec: {{containers: [{{image: vllm/vllm-openai, args: [m]}}]}}\n"
        for i in range(900)
    )
    for name, text in (
        ("a.yaml", bomb),
        ("b.yaml", merged),
        ("c.sh", doubled),
        ("d.sh", arrays),
        ("e.sh", many),
        ("f.yaml", pods),
        ("g.sh", "vllm serve " + "x" * (5 * 2**20)),
        ("h.yaml", "---\na: 1\n" * 5000),
    ):
        with pytest.raises(InputError):
            read(written(tmp_path, name, text))


def test_control_characters_reach_no_message(tmp_path: Path) -> None:
    one = served(tmp_path, "--zz\x1b[31m '\x07\x1b]0;x' --served-model-name '\x1b[2J'")
    text = json.dumps([finding.to_dict() for finding in one.findings], ensure_ascii=False)
    assert text.isprintable()


@given(data=st.binary(max_size=300), suffix=st.sampled_from([".yaml", ".json", ".toml", ".sh", ""]))
def test_any_bytes_are_read_or_refused(data: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / f"file{suffix}"
    path.write_bytes(data)
    is_deployment(path)
    with pytest.raises(InputError):
        read(path)


KEYS = [
    "kind",
    "spec",
    "replicas",
    "template",
    "metadata",
    "name",
    "containers",
    "image",
    "command",
    "args",
    "env",
    "value",
    "resources",
    "limits",
    "nvidia.com/gpu",
    "predictor",
    "model",
    "storageUri",
    "runtime",
    "services",
    "components",
    "extraPodSpec",
    "mainContainer",
    "modelSpec",
    "vllmConfig",
    "decode",
    "uri",
    "modelArtifacts",
    "parallelism",
    "tensor",
    "deploy",
    "environment",
    "nodeSelector",
    "affinity",
    "leaderWorkerTemplate",
    "size",
    "labels",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.text("ab$(){}'-= ", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
HEADS: list[dict[str, Any]] = [
    {"kind": "Deployment"},
    {"kind": "LeaderWorkerSet"},
    {"kind": "CronJob"},
    {"kind": "InferenceService"},
    {"kind": "LLMInferenceService"},
    {"kind": "DynamoGraphDeployment"},
    {"servingEngineSpec": {}},
    {"modelArtifacts": {}, "decode": {}},
    {"services": {}},
]


@given(head=st.sampled_from(HEADS), body=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), spec=VALUES)
def test_objects_of_any_shape_are_read_or_refused(
    head: dict[str, Any], body: dict[str, Any], spec: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("shape") / "file.json"
    path.write_text(json.dumps({**body, **head, "spec": spec}))
    try:
        assert read(path)
    except InputError as error:
        assert error.problems


# --- The command line ------------------------------------------------------------------------------------------------


def test_commands_take_a_deployment_and_show_what_became_of_it(run: Run, answer: Callable[..., Any]) -> None:
    path = str(DATA / "vllm-serve.sh")
    shown = run("estimate", path, "--hardware", H100, "--batch", "32", "--input", "2048")
    assert shown.returncode == 0, shown.stderr
    assert "not modelled" in shown.stdout
    assert "--speculative-config" in shown.stdout
    for command in ("estimate", "memory", "ops"):
        data = answer(command, path, "--hardware", H100, "--batch", "32")
        assert data["scenario"]["parallelism"]["tp"] == 8
        assert data["deployment"]["name"] == "vllm-serve"
        assert len(data["deployment"]["findings"]) > 10


def test_one_of_several_deployments_is_chosen(run: Run, answer: Callable[..., Any]) -> None:
    path = str(DATA / "k8s.yaml")
    shown = run("estimate", path)
    assert shown.returncode == 2
    assert "llama, mistral" in shown.stderr
    assert answer("estimate", path, "--deployment", "mistral")["deployment"]["name"] == "mistral"
    assert run("estimate", path, "--deployment", "nobody").returncode == 2
    assert run("estimate", "llama-70b-8xh100", "--deployment", "x").returncode == 2


def test_flags_go_before_the_file(answer: Callable[..., Any]) -> None:
    found = answer("estimate", str(DATA / "vllm-serve.sh"), "--hardware", "h200-sxm", "--tp", "4")["scenario"]
    assert (found["parallelism"]["tp"], found["hardware"]["name"]) == (4, "h200-sxm")


def test_faults_of_the_scenario_have_the_lines_of_the_file(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", "vllm serve llama-3.1-8b \\\n  --tensor-parallel-size 64\n")
    done = run("estimate", str(path), "--hardware", H100)
    assert done.returncode == 2
    assert "run.sh:2" in done.stderr


def test_scenarios_are_no_deployments() -> None:
    root = Path(__file__).parents[2]
    assert not any(is_deployment(path) for path in (root / "workloads/scenarios").iterdir())
    assert all(is_deployment(path) for path in DATA.iterdir())


@pytest.mark.parametrize(
    "keys",
    [
        {"devices": 8},
        {"tp": 8},
        {"batch": 4},
        {"kv_cache": "fp8"},
        {"attention": "flash-attention-3"},
        {"activations": "bf16"},
        {"engine": "vllm"},
        {"workload": {"batch": 4}},
        {"hardware": H100},
        {"name": "mine"},
        {"expect": {"fits": True}},
        {"devices": 8, "max-model-len": 4096},
        {},
    ],
)
def test_what_a_scenario_may_say_makes_no_file_of_flags(keys: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"model": "llama-3.1-8b", **keys}))
    assert not is_deployment(path)


def test_a_scenario_of_a_model_and_devices_is_one(run: Run, answer: Callable[..., Any], tmp_path: Path) -> None:
    path = written(tmp_path, "mine.yaml", "model: llama-3.1-8b\ndevices: 8\n")
    data = answer("estimate", str(path), "--hardware", H100)
    assert data["scenario"]["parallelism"]["tp"] == 8
    assert "deployment" not in data
    for key, full in (("tp", "parallelism: {tp: ...}"), ("batch", "workload: {batch: ...}")):
        path = written(tmp_path, "mine.yaml", f"model: llama-3.1-8b\n{key}: 8\n")
        done = run("estimate", str(path), "--hardware", H100)
        assert done.returncode == 2
        assert full in done.stderr


@pytest.mark.parametrize("keys", [{"tensor-parallel-size": 4}, {"max_model_len": 4096}, {"tp": 4, "max-num-seqs": 8}])
def test_a_flag_that_is_a_tools_alone_makes_a_file_of_flags(keys: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"model": "llama-3.1-8b", **keys}))
    assert is_deployment(path)
    assert "vllm" in read(path)[0].format


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("compare", ["--with", "kv_cache=bf16"]),
        ("roofline", []),
        ("report", ["-o", "page.html"]),
        ("compare", [str(DATA / "sglang.sh")]),
        ("report", [str(DATA / "k8s.yaml"), "--deployment", "llama", "-o", "page.html"]),
    ],
)
def test_every_command_says_what_became_of_each_deployment_file(
    command: str, arguments: list[str], run: Run, answer: Callable[..., Any], tmp_path: Path
) -> None:
    if command == "report":
        pytest.importorskip("plotly")
    arguments = [str(tmp_path / one) if one == "page.html" else one for one in arguments]
    common = [command, str(DATA / "vllm-serve.sh"), *arguments, "--hardware", "h200-sxm", "--batch", "4"]
    common += ["--force"] if command == "report" else []
    shown = run(*common)
    assert shown.returncode == 0, shown.stderr
    assert "not modelled" in shown.stdout
    assert "--speculative-config" in shown.stdout
    data = answer(*common)
    found = data["deployments"] if arguments[:1] and arguments[0].startswith("/") else [data["deployment"]]
    assert found[0]["name"] == "vllm-serve"
    assert len(found) == (2 if "deployments" in data else 1)
    assert all(len(one["findings"]) > 2 for one in found)
    if command == "report":
        page = (tmp_path / "page.html").read_text()
        assert "--speculative-config" in page
        assert all(one["name"] in page for one in found)


def test_findings_are_escaped_in_a_report() -> None:
    from llmperf.interfaces.report.sections.scenario import _findings, table

    (row,) = _findings([Finding("assumed", "<script>", "<b>", message="&lt;").to_dict()])
    made = table(("a",) * 5, [row], text=5)
    assert "<script>" not in made
    assert "<b>" not in made


def test_deployments_are_compared_by_their_names(answer: Callable[..., Any]) -> None:
    files = (str(DATA / "vllm-serve.sh"), str(DATA / "k8s.yaml"))
    data = answer("compare", *files, "--deployment", "llama", "--hardware", H100, "--batch", "4")
    assert [one["label"] for one in data["configurations"]] == ["vllm-serve", "llama"]
    assert [one["scenario"]["parallelism"]["tp"] for one in data["configurations"]] == [8, 4]


@pytest.mark.parametrize("command", ["estimate", "roofline"])
def test_a_wrong_flag_is_no_fault_of_the_deployment_file(command: str, run: Run) -> None:
    done = run(command, str(DATA / "k8s.yaml"), "--deployment", "llama", "--hardware", "h100-sx")
    assert done.returncode == 2
    assert "--hardware: unknown hardware 'h100-sx' (did you mean h100-sxm?)" in done.stderr
    assert "k8s.yaml" not in done.stderr
    done = run("estimate", str(DATA / "vllm-serve.sh"), "--hardware", H100, "--tp", "-1")
    assert "--tp" in done.stderr
    assert "vllm-serve.sh" not in done.stderr


# --- Checks ----------------------------------------------------------------------------------------------------------


def test_every_file_that_was_read_is_named(tmp_path: Path) -> None:
    config = written(tmp_path, "flags.yaml", "max-num-seqs: 9\n")
    one = served(tmp_path, "--config flags.yaml --tensor-parallel-size 2")
    assert one.files == (str(tmp_path / "run.sh"), str(config))
    assert one.to_dict()["files"] == list(one.files)
    assert served(tmp_path, "").files == (str(tmp_path / "run.sh"),)
    check = llmperf.check({"deployment": str(tmp_path / "run.sh"), "hardware": H100, "expect": {"fits": True}})
    assert str(config) not in check.results[0].check.files
    served(tmp_path, "--config flags.yaml")
    check = llmperf.check({"deployment": str(tmp_path / "run.sh"), "hardware": H100, "expect": {"fits": True}})
    assert str(config) in check.results[0].check.files
    assert str(config) in llmperf.check(deployment=tmp_path / "run.sh", hardware=H100).results[0].check.files


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    away, here = tmp_path / "away", tmp_path / "here"
    away.mkdir()
    here.mkdir()
    written(away, "secret.yaml", "root-of-all: hidden\n")
    (here / "link.yaml").symlink_to(away / "secret.yaml")
    (here / "loop.yaml").symlink_to(here / "loop.yaml")
    written(here, "real.yaml", "max-num-seqs: 9\n")
    (here / "near.yaml").symlink_to(here / "real.yaml")
    for name in ("link.yaml", "loop.yaml"):
        one = served(here, f"--config {name}")
        assert kinds(one)["--config"] == "not_understood"
        assert "hidden" not in json.dumps(one.to_dict())
        assert one.files == (str(here / "run.sh"),)
    assert served(here, "--config near.yaml").max_sequences == 9
    (tmp_path / "linked").symlink_to(here)
    assert served(tmp_path / "linked", "--config real.yaml").max_sequences == 9


def test_a_deployment_says_the_longest_context_and_most_sequences_that_it_accepts(tmp_path: Path) -> None:
    one = served(tmp_path, "--max-model-len 4k --max-num-seqs 9")
    assert (one.tool, one.max_context, one.max_sequences) == ("vllm", 4000, 9)
    one = served(tmp_path, "")
    assert (one.max_context, one.max_sequences) == (None, None)
    assert read(DATA / "torchtitan.toml")[0].tool == ""


def test_a_server_must_hold_one_sequence_of_its_longest_context(tmp_path: Path) -> None:
    for length, status in ((131072, "failed"), (8192, "passed")):
        text = f"vllm serve meta-llama/Llama-3.1-8B-Instruct \\\n  --max-model-len {length}\n"
        (result,) = llmperf.check(deployment=written(tmp_path, "run.sh", text), hardware="l4").results
        assert result.status == status
        fits, longest = result.verdicts
        assert fits.holds
        assert longest.limit.output == "max_concurrency_at_max_context"
        assert longest.limit.place.line == 2
        assert longest.holds == (status == "passed")
        assert any("1024 prompt and 128 output tokens" in note for note in result.check.notes)
        assert any(str(length) in note for note in result.check.notes)


@pytest.mark.parametrize("flags", ["", "--quantization gptq", "--quantization gptq_marlin"])
def test_gptq_of_eight_bits_has_weights_of_eight_bits_and_computes_in_sixteen(flags: str, tmp_path: Path) -> None:
    one = served(tmp_path, flags, "Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8")
    found = resolve(one.scenario, {"hardware": H100, "tp": 2}).scenario
    assert (found.weights.bits, found.activations, found.weights.group) == (8, "bf16", 128)
    assert [finding.kind for finding in one.findings if finding.path == "weights"] == ["assumed"]
    four = served(tmp_path, flags, "Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4")
    assert four.scenario["weights"] == "w4a16-g128"


def test_a_flag_goes_before_the_name_of_the_checkpoint(tmp_path: Path) -> None:
    assert served(tmp_path, "-q fp8", "unsloth/DeepSeek-V3-bf16").scenario["weights"] == "fp8"
    assert served(tmp_path, "-q fp8", "deepseek-ai/DeepSeek-V3").scenario["weights"] == "fp8-block"


def test_a_checkpoint_of_a_format_that_is_not_known_is_said(tmp_path: Path) -> None:
    one = served(tmp_path, "", "moonshotai/Kimi-K2-Thinking")
    assert any(finding.kind == "not_understood" and "4-bit integers" in finding.message for finding in one.findings)


def test_a_dtype_beside_a_narrow_format_says_that_it_sets_nothing(tmp_path: Path) -> None:
    one = served(tmp_path, "--dtype float32 --quantization fp8")
    assert kinds(one)["--dtype"] == "not_modelled"
    assert "activations" not in one.scenario
    one = served(tmp_path, "--dtype half --quantization fp8")
    (finding,) = (finding for finding in one.findings if finding.name == "--dtype")
    assert (finding.kind, finding.path) == ("understood", "")
    assert "products are those of fp8" in finding.message
    assert served(tmp_path, "--dtype half").scenario["activations"] == "fp16"


@pytest.mark.parametrize(
    "form", ["{script}", "bash -c '{script}'", "kind: Pod\nspec: {{containers: [{{image: a, {c}}}]}}\n"]
)
def test_a_loop_may_start_several_servers_and_says_so(form: str, tmp_path: Path) -> None:
    script = "for i in 0 1 2 3; do vllm serve m --port 800$i & done; vllm serve n"
    text = form.format(script=script, c=f'command: [sh, -c, "{script}"]')
    found = read(written(tmp_path, "run.yaml" if "kind" in form else "run.sh", text))
    assert kinds(found[0])["for"] == "not_understood"
    assert "--replicas" in next(one.message for one in found[0].findings if one.name == "for")
    assert all("for" not in kinds(one) for one in found[1:])


def test_every_branch_of_a_condition_is_a_deployment_and_says_so(tmp_path: Path) -> None:
    text = """
        if [ "$BIG" = 1 ]; then
          vllm serve llama-3.1-70b --tensor-parallel-size 4
        else
          vllm serve llama-3.1-8b
        fi
        case $A in
          x) vllm serve mistral-7b-v0.3 ;;
        esac
        while true; do if true; then vllm serve qwen3-32b; fi; done
        vllm serve llama-3.2-1b
    """
    found = read(written(tmp_path, "run.sh", text))
    words = [[one.name for one in each.findings if one.name in ("if", "case", "while")] for each in found]
    assert words == [["if"], ["if"], ["case"], ["while", "if"], []]
    assert [kinds(found[0])["if"], kinds(found[3])["while"]] == ["assumed", "not_understood"]


def test_what_stands_before_a_command_is_no_part_of_it(tmp_path: Path) -> None:
    text = "if true; then TP=2 docker run vllm/vllm-openai --model m; else ! time vllm serve n; fi\n"
    assert len(read(written(tmp_path, "run.sh", text))) == 2


def test_hardware_of_a_check_that_is_unknown_is_a_fault_of_the_flag(tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", "vllm serve llama-3.1-8b\n")
    with pytest.raises(InputError) as caught:
        llmperf.check(deployment=path, hardware="h100-sx")
    (problem,) = caught.value.problems
    assert (problem.path, problem.file, problem.suggestion) == ("--hardware", None, "h100-sxm")
    assert "h200-sxm" in problem.allowed


def test_a_wrong_change_is_no_fault_of_the_deployment_file(run: Run) -> None:
    for command in ("compare", "roofline"):
        done = run(command, str(DATA / "vllm-serve.sh"), "--hardware", H100, "--with", "kv_cache=fp88")
        assert done.returncode == 2
        assert "unknown kv_cache 'fp88'" in done.stderr
        assert "vllm-serve.sh" not in done.stderr
