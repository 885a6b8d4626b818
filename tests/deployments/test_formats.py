"""Each format of deployment files: how it is recognized, its scenario, a finding for everything written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import llmperf
from calling import called
from deployments.helping import DATA, H100, kinds, written
from llmperf.deployments import is_deployment, read
from llmperf.errors import InputError
from llmperf.scenarios.resolve import resolve

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


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir() if path.is_file()))
def test_each_format_becomes_exactly_this_scenario(name: str) -> None:
    found = {one.name: one.scenario for one in read(DATA / name)}
    assert found == SCENARIOS[name]


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir() if path.is_file()))
def test_each_scenario_is_answered_or_refused_for_training_alone(name: str) -> None:
    for one in read(DATA / name):
        if "training" in one.scenario:
            with pytest.raises(InputError, match="training cannot be estimated"):
                resolve(one.scenario, {"hardware": H100})
            assert any(finding.name == "training" and finding.kind == "not_modelled" for finding in one.findings)
        else:
            over = {} if "hardware" in one.scenario else {"hardware": "h200-sxm"}
            assert llmperf.estimate(one.scenario, batch=8, input=100, output=10, **over).tpot_s > 0


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir() if path.is_file()))
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
    assert found["--some-new-flag"] == "not_understood"
    assert found["VLLM_ATTENTION_BACKEND"] == "not_modelled"


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


def test_scenarios_are_no_deployments() -> None:
    root = Path(__file__).parents[2]
    assert not any(is_deployment(path) for path in (root / "workloads/scenarios").iterdir())
    assert all(is_deployment(path) for path in DATA.iterdir() if path.is_file())


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


@pytest.mark.parametrize("keys", [{"tensor-parallel-size": 4}, {"max_model_len": 4096}, {"tp": 4, "max-num-seqs": 8}])
def test_a_flag_that_is_a_tools_alone_makes_a_file_of_flags(keys: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"model": "llama-3.1-8b", **keys}))
    assert is_deployment(path)
    assert "vllm" in read(path)[0].format


RAY = """
apiVersion: ray.io/v1
kind: RayService
metadata: {name: chat}
spec:
  serveConfigV2: |
    applications:
    - name: llms
      import_path: ray.serve.llm:build_openai_app
      args:
        llm_configs:
        - model_loading_config:
            model_id: small
            model_source: Qwen/Qwen3-8B
          accelerator_type: A100-80G
          deployment_config:
            autoscaling_config: {min_replicas: 2, max_replicas: 8}
          engine_kwargs:
            tensor_parallel_size: 2
            some_new_kwarg: 1
        - llm_large.yaml
    - name: other
      import_path: my.module:app
"""


def test_a_ray_service_holds_its_models_as_a_text(tmp_path: Path) -> None:
    path = written(tmp_path, "ray.yaml", RAY)
    assert is_deployment(path)
    (one,) = read(path)
    assert one.name == "small"
    assert one.scenario == {
        "model": "qwen3-8b",
        "hardware": "a100-sxm-80gb",
        "parallelism": {"tp": 2, "replicas": 2},
        "engine": "vllm",
    }
    found = {finding.name: finding for finding in one.findings}
    assert found["some_new_kwarg"].line == 1 + RAY[1:].splitlines().index("            some_new_kwarg: 1")
    assert {found[name].kind for name in ("some_new_kwarg", "other", "llms")} == {"not_understood"}
    assert found["autoscaling_config"].kind == "assumed"


def test_a_task_of_skypilot_runs_on_what_it_asks_for(tmp_path: Path) -> None:
    text = """
        name: chat
        resources:
          any_of:
          - accelerators: {H100: 8}
          - accelerators: H200:8
        num_nodes: 2
        run: |
          vllm serve deepseek-r1 -tp $SKYPILOT_NUM_GPUS_PER_NODE -pp $SKYPILOT_NUM_NODES
        service:
          replica_policy: {min_replicas: 3, max_replicas: 5}
    """
    (one,) = read(written(tmp_path, "sky.yaml", text))
    assert one.scenario["parallelism"] == {"tp": 8, "pp": 2, "replicas": 3}
    assert "hardware" not in one.scenario
    assert kinds(one)["accelerators"] == "not_understood"
    assert kinds(one)["replica_policy"] == "assumed"
    assert not any("its layout uses" in finding.message for finding in one.findings)


KUBE = "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: vllm/vllm-openai, args: [--model, qwen3-8b]}]}\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("kind: Secret\nstringData: {a: {{X}}}\n", "is a template and was not read"),
        ("{{- if .Values.x }}\nkind: Secret\n", "is a template and was not read"),
        ("a: [\n", "was not read: is not YAML"),
        ("a: 1\na: 2\n", "was not read"),
    ],
)
def test_one_bad_document_refuses_itself_alone(bad: str, said: str, tmp_path: Path) -> None:
    for text, line in ((f"{KUBE}---\n{bad}", 5), (f"{bad}---\n{KUBE}", 1)):
        path = tmp_path / "a.yaml"
        path.write_text(text)
        assert is_deployment(path)
        (one,) = read(path)
        (finding,) = [each for each in one.findings if each.name == "document"]
        assert (finding.kind, finding.line) == ("not_understood", line)
        assert said in finding.message
        model = next(each for each in one.findings if each.name == "--model")
        assert "--model" in text.splitlines()[(model.line or 0) - 1]


def test_servers_that_are_not_read_are_said_or_refused_by_name(tmp_path: Path) -> None:
    text = """
        services:
          tgi: {image: "ghcr.io/huggingface/text-generation-inference:3.2", command: "--model-id m"}
          cpp: {image: "registry.example.com/ggml-org/llama.cpp:server", command: "-m /m/q.gguf"}
          web: {image: "ghcr.io/open-webui/open-webui:main"}
          l: {image: "openmmlab/lmdeploy:latest"}
    """
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, "c.yaml", text.replace("ggml-org/llama.cpp:server", "web:1")))
    assert [problem.path for problem in caught.value.problems] == ["tgi", "l"]
    with_vllm = f'{text.rstrip()}\n          v: {{image: "vllm/vllm-openai:v0.10.0", command: "--model qwen3-8b"}}\n'
    (one,) = read(written(tmp_path, "c.yaml", with_vllm))
    said = {each.name: each.message for each in one.findings if "may use the same devices" in each.message}
    assert list(said) == ["tgi", "l", "cpp"]
    assert "serves a model with llama.cpp" in said["cpp"]


def test_variables_come_from_maps_of_the_file(tmp_path: Path) -> None:
    text = """
        kind: ConfigMap
        metadata: {name: cm}
        data: {MODEL: Qwen/Qwen3-8B, TP: "2", SEQS: "9"}
        ---
        kind: Pod
        metadata: {name: a}
        spec:
          containers:
          - image: vllm/vllm-openai
            env:
            - {name: SEQS, value: "5"}
            - {name: WHAT, value: "$(X_MODEL)"}
            - {name: LEN, valueFrom: {configMapKeyRef: {name: other, key: LEN}}}
            envFrom: [{configMapRef: {name: cm}}, {configMapRef: {name: cm}, prefix: X_}, {secretRef: {name: s}}]
            command: [bash, -c, 'vllm serve $WHAT -tp "$TP" --max-num-seqs ${SEQS} --max-model-len $LEN']
    """
    (one,) = read(written(tmp_path, "a.yaml", text))
    assert one.scenario["model"] == "qwen3-8b"
    assert one.scenario["parallelism"] == {"tp": 2}
    assert one.scenario["engine"]["max_sequences"] == 5
    assert kinds(one)["--max-model-len"] == "not_understood"


def test_a_server_whose_start_is_elsewhere_is_said(tmp_path: Path) -> None:
    text = (
        'kind: Pod\nspec:\n  containers:\n  - {name: e, image: "vllm/vllm-openai:v0.9.0", command: [bash, /s/run.sh]}\n'
    )
    with pytest.raises(InputError, match="what it starts is not known") as caught:
        read(written(tmp_path, "a.yaml", text))
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [("e", 4)]


def test_every_key_of_a_custom_object_has_a_fate(tmp_path: Path) -> None:
    text = """
        kind: LLMInferenceService
        metadata: {name: a}
        spec:
          model: {uri: "hf://Qwen/Qwen3-8B", surprise: 1}
          router: {route: {}}
          another: {key: 2}
          worker: {containers: []}
    """
    (one,) = read(written(tmp_path, "a.yaml", text))
    found = kinds(one)
    assert [found[name] for name in ("model.surprise", "another", "router")] == [
        "not_understood",
        "not_understood",
        "ignored",
    ]


@pytest.mark.parametrize(("config", "cached"), [("{maxModelLen: 4096}", False), ("{enablePrefixCaching: true}", True)])
def test_the_chart_of_the_production_stack_has_defaults_of_its_own(config: str, cached: bool, tmp_path: Path) -> None:
    model = "{name: a, repository: vllm/vllm-openai, tag: v0.10.0, modelURL: Qwen/Qwen3-8B, unheard: 1, vllmConfig: %s}"
    (one,) = read(written(tmp_path, "a.yaml", f"servingEngineSpec: {{modelSpec: [{model % config}]}}\n"))
    assert one.scenario["engine"]["shared_prefix_cache"] is cached
    assert kinds(one)["unheard"] == "not_understood"


@pytest.mark.parametrize(
    ("flags", "model", "others"),
    [
        ("--num-layers 32 --hidden-size 4096 --num-attention-heads 32 --vocab-size 128256", "llama-3-8b", True),
        ("--num-layers 32 --hidden-size 4096 --num-attention-heads 32 --vocab-size 32000 --num-experts 8",
         "mixtral-8x7b", False),
        ("--num-layers 96 --hidden-size 12288 --num-attention-heads 96 --vocab-size 50257", "gpt3-175b", False),
    ],
)  # fmt: skip
def test_a_shape_is_that_of_every_model_that_has_it(flags: str, model: str, others: bool, tmp_path: Path) -> None:
    (one,) = read(written(tmp_path, "t.sh", f"torchrun --nproc_per_node 8 pretrain_gpt.py {flags}\n"))
    said = next(finding.message for finding in one.findings if finding.name == "model")
    assert one.scenario["model"] == model
    assert ("give --model" in said) is others


def test_compose_takes_the_variables_that_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('# of the host\nORG=Qwen\nMODEL="${ORG}/Qwen3-8B" # quoted\nexport TP=2\n')
    (tmp_path / "seqs.env").write_text("VLLM_USE_V1=0\n")
    text = """
        services:
          a:
            image: vllm/vllm-openai:v0.10.0
            env_file: [./seqs.env]
            command: --model ${MODEL} --tensor-parallel-size ${TP:-1} --max-num-seqs ${SEQS:-9} --port ${PORT}
    """
    (one,) = read(written(tmp_path, "compose.yaml", text))
    assert (one.scenario["model"], one.scenario["parallelism"], one.max_sequences) == ("qwen3-8b", {"tp": 2}, 9)
    assert one.scenario["engine"]["extends"] == "vllm-2024"
    assert {str(tmp_path / ".env"), str(tmp_path / "seqs.env")} <= set(one.files)


@pytest.mark.parametrize("share", ["gpu-fraction: '0.5'", "gpu-memory: '2000'", "run.ai/gpu-fraction: '0.25'"])
def test_a_part_of_a_device_by_annotation_is_not_modelled(share: str, tmp_path: Path) -> None:
    text = f"""
        kind: Deployment
        metadata: {{name: a}}
        spec:
          template:
            metadata: {{annotations: {{{share}}}}}
            spec: {{containers: [{{name: e, image: "vllm/vllm-openai:v0.10.0", args: [--model, qwen3-8b]}}]}}
    """
    (one,) = read(written(tmp_path, "d.yaml", text))
    assert kinds(one)[share.partition(":")[0]] == "not_modelled"
    (whole,) = read(written(tmp_path, "e.yaml", re.sub(r"'[\d.]+'", "'1'", text)))
    assert share.partition(":")[0] not in kinds(whole)


@pytest.mark.parametrize("value", ["auto", "-1"])
def test_a_context_that_the_engine_shortens_need_not_fit(value: str, tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", f"vllm serve meta-llama/Llama-3.1-8B-Instruct --max-model-len {value}\n")
    (one,) = read(path)
    assert kinds(one)["--max-model-len"] == "assumed"
    (result,) = llmperf.check(deployment=path, hardware="l4").results
    assert (result.status, [verdict.limit.output for verdict in result.verdicts]) == ("passed", ["fits"])


@pytest.mark.parametrize("asked", ["{H100:8, H200:8}", "{H100: 8, H200: 8}", "[H100:8, H200:8]", '"H100:8"'])
def test_a_task_of_skypilot_may_run_on_several_kinds(asked: str, tmp_path: Path) -> None:
    text = f"""
        resources:
          accelerators: {asked}
        run: vllm serve qwen3-8b --tensor-parallel-size $SKYPILOT_NUM_GPUS_PER_NODE
    """
    (one,) = read(written(tmp_path, "task.yaml", text), hardware=H100)
    assert one.scenario["parallelism"] == {"tp": 8}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("run.sh", "vllm serve /models/of-ours --max-model-len 4096\n", "'of-ours'"),
        ("c.yaml", "model: some/Model-of-1999\nmax-model-len: 4096\n", "'some/Model-of-1999'"),
        ("c.yaml", "services: {o: {image: ollama/ollama, environment: {OLLAMA_CONTEXT_LENGTH: 8192}}}\n", "nowhere"),
    ],
)
def test_a_model_that_is_not_known_is_one_error_with_its_reason(name: str, text: str, why: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, text)
    for command in ("memory", "estimate"):
        done = called(command, str(path), "--hardware", H100)
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2
        assert why in line
        assert "--model" in line
        assert called(command, str(path), "--hardware", H100, "--model", "qwen3-8b").returncode == 0
    (result,) = llmperf.check(deployment=path, hardware=H100).results
    (problem,) = result.problems
    assert why in str(problem)
    (result,) = llmperf.check({"deployment": str(path), "hardware": H100, "expect": {"fits": True}}).results
    (problem,) = result.problems
    assert why in str(problem)


@pytest.mark.parametrize(
    "image", ["ghcr.io/huggingface/text-generation-inference:3.3.4", "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.4"]
)
def test_a_server_alone_that_is_not_read_says_what_to_do(image: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, "c.yaml", f"services: {{a: {{image: '{image}'}}}}\n"))
    (problem,) = caught.value.problems
    assert problem.message.endswith("which is not read here")
    assert "--model" in str(problem.suggestion)
