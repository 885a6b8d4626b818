"""Names in deployments: checkpoints, quantizations, images and labels as entries of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployments.helping import DATA, H100, kinds, served, written
from llmperf.deployments import read
from llmperf.deployments.accelerators import PRODUCTS, product
from llmperf.deployments.formats import KV_CACHE, WEIGHTS
from llmperf.deployments.images import ENGINES, tool_of, version_of
from llmperf.scenarios import catalog
from llmperf.scenarios.resolve import resolve


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
        "moonshotai/Kimi-K2-Thinking": ("kimi-k2-thinking", "w4a16-g32"),
        "meta-llama/Llama-3.1-8B-Instruct": ("llama-3.1-8b", None),
        "/models/Meta-Llama-3.1-8B-Instruct/": ("llama-3.1-8b", None),
    }
    for reference, (model, weights) in cases.items():
        scenario = served(tmp_path, "", reference).scenario
        assert (scenario["model"], scenario.get("weights")) == (model, weights), reference


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
    "reference",
    [
        "/root/.cache/huggingface/hub/models--meta-llama--Llama-3.1-8B-Instruct/snapshots/" + "0123abcd" * 5,
        "/data/models--meta-llama--Llama-3.1-8B-Instruct",
        "/models/meta-llama--Llama-3.1-8B-Instruct",
        "/models/Llama-3.1-8B-Instruct/",
        "/mnt/models/llama-3.1-8b/v1",
        "/mnt/Llama-3.1-8B-Instruct/snapshots/main",
        "pvc://claim/hub/Llama-3.1-8B-Instruct",
        "oci://quay.io/someone/llama-3.1-8b-instruct:1.0",
        "oci://registry.example.com/modelcars:llama-3.1-8b-instruct",
        "oci://registry.example.com/llama-3.1-8b-instruct@sha256:" + "ab" * 32,
        "s3://bucket/checkpoints/Llama-3.1-8B-Instruct/1/",
        "hf://meta-llama/Llama-3.1-8B-Instruct@main",
        "./Llama-3.1-8B-Instruct",
        "/data/trial--1/Llama-3.1-8B-Instruct",
    ],
)
def test_where_a_model_lies_says_which_it_is(reference: str, tmp_path: Path) -> None:
    assert served(tmp_path, "", reference).scenario["model"] == "llama-3.1-8b"


def test_the_last_folder_may_say_the_format(tmp_path: Path) -> None:
    one = served(tmp_path, "", "/models/llama-3.1-8b/fp8")
    assert (one.scenario["model"], one.scenario["weights"]) == ("llama-3.1-8b", "fp8")
    one = served(tmp_path, "", "/models/llama-3.1-8b/")
    assert "weights" not in one.scenario


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.6.3", "vllm-2024"),
        ("registry.example.com:5000/mirror/vllm/vllm-openai:v0.6.3.post1", "vllm-2024"),
        ("registry.example.com/vllm-openai:v0.6.3@sha256:aa", "vllm-2024"),
        ("lmcache/vllm-openai:v0.3.9post2", "vllm"),
        ("mirror.example.com/lmcache/vllm-openai:v0.3.9", "vllm"),
    ],
)
def test_the_tag_is_a_version_where_it_is_that_of_the_tool(image: str, version: str, tmp_path: Path) -> None:
    (one,) = read(written(tmp_path, "a.sh", f"docker run {image} --model qwen3-8b\n"))
    assert one.scenario["engine"] == version


@pytest.mark.parametrize(
    "script",
    [
        "vllm serve $HOME/models/Qwen3-8B",
        "MODELS=/mnt/$USER/models\nvllm serve $MODELS/Qwen3-8B/",
        "DIR=${DIR:-$HOME/models}\nvllm serve --model ${DIR}/Qwen3-8B",
        'llama-server -m "$PWD/Qwen3-8B-Q4_K_M.gguf"',
    ],
)
def test_folders_may_be_variables_that_the_file_does_not_define(script: str, tmp_path: Path) -> None:
    found = read(written(tmp_path, "run.sh", f"{script}\n"), hardware=H100)[0]
    assert found.scenario["model"] == "qwen3-8b"
    assert "not_understood" not in kinds(found).values()


@pytest.mark.parametrize("model", ["$MODEL", "Qwen/$NAME", "$DIR/fp8", "models/$(cat name)", "$HOME/Qwen3-${SIZE}"])
def test_a_variable_in_the_name_itself_is_not_understood(model: str, tmp_path: Path) -> None:
    found = read(written(tmp_path, "run.sh", f"vllm serve {model}\n"), hardware=H100)[0]
    assert "model" not in found.scenario
    assert "not_understood" in kinds(found).values()
