"""Wrong and hostile deployment files: refused in a line, whatever they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.helping import kinds, served, written
from llmperf.deployments import is_deployment, read
from llmperf.errors import InputError


def test_all_wrong_values_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    text = "model: llama-3.1-8b\ntensor-parallel-size: two\nmax-model-len: -5\ngpu-memory-utilization: 3\n"
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, "a.yaml", text))
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (2, "tensor-parallel-size"),
        (3, "max-model-len"),
        (4, "gpu-memory-utilization"),
    ]


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
    {"kind": "RayService"},
    {"kind": "VLLMRuntime"},
    {"kind": "JobSet"},
    {"applications": [{"import_path": "ray.serve.llm:build_openai_app", "args": {"llm_configs": [{}]}}]},
    {"run": "vllm serve a", "envs": {}},
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
