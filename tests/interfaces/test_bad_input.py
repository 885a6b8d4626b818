"""Wrong input is answered by a message that names what is wrong, never by a traceback, a hang or a wrong number."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.errors import InputError

TIMEOUT_S = 20
"""A generous time for a command that has nothing to compute."""
MEMORY = 2 * 2**30
"""Address space that a hostile file must not exceed. [B]"""
MAX_LINES = 8
"""Lines of messages that a user reads for a handful of faults."""
MAX_WIDTH = 2000
"""Characters of one message; a user's own value must have been cut long before."""
MEGABYTE = "x" * 10**6
ESCAPE = "\x1b[31mred"
ERROR_KEYS = {"file", "path", "line", "message", "allowed", "suggestion"}

GOOD = ("estimate", "--model", "llama-3.1-8b", "--hardware", "h100-sxm")
MIXTRAL = ("estimate", "--model", "mixtral-8x7b", "--hardware", "h100-sxm")
SCENARIO = "model: llama-3.1-8b\nhardware: h100-sxm\n"
JSON_SCENARIO = '"model": "llama-3.1-8b", "hardware": "h100-sxm"'
FILE = ("estimate", "{tmp}/s.yaml")
JSON_FILE = ("estimate", "{tmp}/s.json")
CHIP = """\
kind: gpu
vendor: ACME
engines:
  matrix: {kind: matrix, peaks: {bf16: 100 TFLOP/s}}
tiers:
  hbm: {kind: main, capacity: 80 GiB, bandwidth: 2 TB/s}
links:
  bus: {kind: host, bandwidth: 60 GB/s}
achieved: gpu-datacenter
sources: {all: made up for a test}
"""
ON_CHIP = ("estimate", "--model", "llama-3.1-8b", "--hardware", "acme", "--catalog", "{tmp}")
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
MOE_CONFIG = CONFIG | {
    "architectures": ["MixtralForCausalLM"],
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
ON_CONFIG = ("estimate", "--hardware", "h100-sxm", "--model", "{tmp}/config.json")


@dataclass(frozen=True)
class Case:
    """One wrong input, and what its message must say.

    `args` and the texts of `files` may hold ``{tmp}``. `says`: what the message names. `path`: the key that is
    wrong. `near`: the name to suggest. `file` and `line`: where the fault stands. `alone`: in a process of its own,
    with little memory. `lines`: most lines of the answer.
    """

    id: str
    args: tuple[str, ...]
    says: tuple[str, ...] = ()
    path: str | None = None
    near: str | None = None
    file: str | None = None
    line: int | None = None
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    make: Callable[[Path], None] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False
    lines: int = MAX_LINES
    as_user: bool = False


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


def scenario(text: str, *, base: str = SCENARIO) -> dict[str, str]:
    """A scenario file: two good lines, then `text` from line 3 on."""
    return {"s.yaml": base + text}


def raw(content: str | bytes) -> dict[str, str | bytes]:
    """A scenario file with nothing but `content`."""
    return {"s.yaml": content}


def json_scenario(text: str) -> dict[str, str]:
    return {"s.json": "{" + JSON_SCENARIO + ", " + text + "}"}


def chip(old: str, new: str) -> dict[str, str]:
    """A user's chip with one thing changed."""
    assert old in CHIP
    return {"chips/acme.yaml": CHIP.replace(old, new)}


def config(base: dict[str, Any] = CONFIG, **changes: Any) -> dict[str, str]:
    """A config.json with `changes`; a change to ... removes the key."""
    data = {key: value for key, value in {**base, **changes}.items() if value is not ...}
    return {"config.json": json.dumps(data)}


def bomb(levels: int = 40) -> str:
    """Each level holds the one before nine times."""
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def flag(name: str, value: str, /, *says: str, id: str | None = None, **more: Any) -> Case:  # noqa: A002
    """One wrong flag on a good command."""
    return Case(id or f"flag-{name}-{value}", (*GOOD, f"--{name}", value), says or (value,), **more)


def assigned(path: str, value: str, /, *says: str, id: str | None = None, **more: Any) -> Case:  # noqa: A002
    """One wrong ``--set`` on a good command."""
    return Case(
        id or f"set-{path}={value}", (*GOOD, "--set", f"{path}={value}"), says or (value,), **{"path": path} | more
    )


def line3(id: str, text: str, path: str, *says: str, **more: Any) -> Case:  # noqa: A002
    """One wrong line, the third, of a good scenario file."""
    return Case(id, FILE, says, path=path, file="s.yaml", line=3, files=scenario(text), **more)


def whole_file(id: str, content: str | bytes, *says: str, **more: Any) -> Case:  # noqa: A002
    """A scenario file that is no scenario."""
    return Case(id, FILE, says, file="s.yaml", files=raw(content), **more)


NAMES = (
    flag("model", "lama-3.1-8b", path="model", near="llama-3.1-8b"),
    flag("hardware", "h100-smx", path="hardware", near="h100-sxm"),
    flag("weights", "w4a16-g12", path="weights", near="w4a16-g128"),
    flag("kv-cache", "fpp8", path="kv_cache", near="fp8"),
    flag("engine", "generik", path="engine", near="generic"),
    flag("activations", "bf61", "bf61", "bf16", path="activations", near="bf16"),
    flag("model", "", "''", path="model", id="flag-model-empty"),
    flag("model", "meta-lama/Llama-3.1-8B", path="model", id="hugging-face-id-misspelt"),
    Case("unknown-scenario-name", ("estimate", "no-such-scenario"), ("no-such-scenario",)),
    Case("show-unknown-entry", ("show", "lama-3.1-8b"), ("lama-3.1-8b",), near="llama-3.1-8b"),
    Case("show-unknown-kind", ("show", "h100-sxm", "--kind", "hardwear"), ("hardwear",), near="hardware"),
    Case("list-unknown-kind", ("list", "modles"), ("modles",), near="model"),
    Case("schema-unknown-kind", ("schema", "scenaro"), ("scenaro",), near="scenario"),
    Case("name-of-several-entries", ("show", "bf16"), ("bf16", "weights", "kv_cache", "--kind")),
)

COMMAND_LINE = (
    Case("unknown-flag", (*GOOD, "--bach", "8"), ("--bach", "--batch")),
    Case("unknown-command", ("estimat", *GOOD[1:]), ("estimat",)),
    Case("flag-without-value", (*GOOD, "--batch"), ("--batch",)),
    Case("surplus-argument", ("estimate", "one", "two"), ("two",)),
    Case("unknown-phase", ("ops", *GOOD[1:], "--phase", "prefil"), ("prefil", "prefill", "decode")),
    Case("set-without-equals", (*GOOD, "--set", "workload.batch"), ("workload.batch", "path=value")),
    Case("set-without-path", (*GOOD, "--set", "=5"), ("=5", "path=value")),
    assigned("workload.bach", "8", "bach", near="batch"),
    assigned("wrkload.batch", "8", "wrkload", path=None, near="workload"),
    assigned("hardware.tiers.hbm.bandwith", '"4 TB/s"', "bandwith", near="bandwidth"),
    assigned("workload.batch", "eight"),
    assigned("workload.batch.size", "8", "batch", path="workload.batch"),
    assigned("workload", "3"),
    assigned("model", "3"),
    assigned("hardware.tiers.hbm", "3"),
    assigned("hardware.tiers.hbm.kind", "banana", "banana", "main"),
    assigned("hardware.engines.matrix.peaks.fp7", '"1 TFLOP/s"', "fp7", path=None, near="fp8"),
    assigned("hardware.tiers.hbm.bandwidth", "null", "bandwidth", path="hardware.tiers"),
    assigned("model.attention", "null", "attention"),
    assigned("model.attention.heads", "31", "8", "31", path="model.attention.kv_heads"),
    Case("memory-command", ("memory", *GOOD[1:], "--batch", "zero"), ("zero",), path="workload.batch"),
    Case("ops-command", ("ops", *GOOD[1:], "--batch", "zero"), ("zero",), path="workload.batch"),
)

NUMBERS = (
    flag("batch", "-1", path="workload.batch"),
    flag("batch", "0", "0", "at least 1", path="workload.batch"),
    flag("input", "0", "0", "at least 1", path="workload.input"),
    flag("output", "0", "0", "at least 1", path="workload.output"),
    flag("batch", "nan", path="workload.batch"),
    flag("batch", "inf", path="workload.batch"),
    flag("batch", "-inf", path="workload.batch"),
    flag("batch", "1e400", "inf", path="workload.batch"),
    flag("batch", "1e16", "1e+16", path="workload.batch"),
    flag("batch", "1.5", path="workload.batch"),
    flag("batch", "8 apples", path="workload.batch"),
    flag("batch", "", "''", path="workload.batch", id="flag-batch-empty"),
    flag("batch", "9" * 5000, "whole number", path="workload.batch", id="flag-of-5000-digits"),
    flag("tp", "true", path="parallelism.tp"),
    flag("tp", "0", "at least 1", path="parallelism.tp"),
    flag("devices", "-8", path="devices"),
    flag("shared-prefix", "-5", path="workload.shared_prefix"),
    assigned("workload.batch", "true", "True"),
    assigned("workload.batch", '"8"', "'8'"),
    assigned("workload.batch", "[1, 2]", "[1, 2]"),
    assigned("workload.batch", '{"a": 1}', "a"),
    assigned("workload.batch", "NaN"),
    assigned("workload.batch", "Infinity"),
    assigned("workload.batch", "1e400", "inf"),
    assigned("engine.utilization", "1.5"),
    assigned("engine.utilization", "150 %"),
    assigned("engine.kv_block", "0", "at least 1"),
    assigned("weights.bits", "0"),
    assigned("placement.weights", "-0.1"),
    assigned("model.layers", "0", "at least 1"),
    line3("yaml-nan", "workload: {batch: .nan}\n", "workload.batch", "nan"),
    line3("yaml-inf", "workload: {input: .inf}\n", "workload.input", "inf"),
    line3("yaml-minus-inf", "workload: {input: -.inf}\n", "workload.input", "-inf"),
    line3("yaml-1e400", "workload: {batch: 1e400}\n", "workload.batch", "1e400"),
    line3("yaml-1.0e+400", "workload: {batch: 1.0e+400}\n", "workload.batch", "inf"),
    line3("yaml-fraction", "workload: {batch: 2.5}\n", "workload.batch", "2.5"),
    line3("yaml-boolean-as-number", "workload: {batch: yes}\n", "workload.batch", "True"),
    line3("yaml-text-as-number", "workload: {batch: '8'}\n", "workload.batch", "'8'"),
    line3("yaml-list-as-number", "workload: {batch: [1, 2]}\n", "workload.batch", "[1, 2]"),
    line3("yaml-mapping-as-number", "workload: {batch: {a: 1}}\n", "workload.batch", "a"),
    line3("yaml-number-of-5000-digits", f"workload: {{batch: {'9' * 5000}}}\n", "", "999"),
    line3("yaml-number-as-name", "name: 3\n", "name", "3"),
    line3("yaml-list-as-name", "description: [a, b]\n", "description", "a"),
    Case(
        "yaml-nan-in-hardware",
        ON_CHIP,
        ("nan",),
        path="tiers.hbm.bandwidth",
        file="acme.yaml",
        line=6,
        files=chip("2 TB/s", ".nan"),
    ),
    Case("json-nan", JSON_FILE, ("NaN",), file="s.json", files=json_scenario('"workload": {"batch": NaN}')),
    Case(
        "json-infinity", JSON_FILE, ("Infinity",), file="s.json", files=json_scenario('"workload": {"batch": Infinity}')
    ),
    Case(
        "json-1e400",
        JSON_FILE,
        ("inf",),
        path="workload.batch",
        file="s.json",
        files=json_scenario('"workload": {"batch": 1e400}'),
    ),
    Case(
        "json-number-of-5000-digits",
        JSON_FILE,
        ("number",),
        file="s.json",
        files=json_scenario('"workload": {"batch": ' + "9" * 5000 + "}"),
    ),
)

UNITS = (
    assigned("hardware.tiers.hbm.capacity", '"80 parsecs"', "80 parsecs", "GiB"),
    assigned("hardware.tiers.hbm.bandwidth", '"3 TFLOP/s"', "3 TFLOP/s", "B/s"),
    assigned("hardware.tiers.hbm.bandwidth", '"3.35 TB"', "3.35 TB", "B/s"),
    assigned("hardware.tiers.hbm.capacity", '"-80 GiB"', "-80 GiB", "more than zero"),
    assigned("hardware.tiers.hbm.bandwidth", "0", "more than zero"),
    assigned("hardware.tiers.hbm.bandwidth", "NaN"),
    assigned("hardware.tiers.hbm.bandwidth", "1e-320", "bandwidth", id="set-bandwidth-that-overflows-every-time"),
    assigned("weights.bits", "1e308", "bits", id="set-bits-that-overflow-every-sum"),
    assigned("hardware.tiers.hbm.bandwidth", "true", "True"),
    assigned("hardware.tiers.hbm.bandwidth", "GiB/s"),
    assigned("hardware.tiers.hbm.bandwidth", '["1 TB/s"]', "1 TB/s"),
    assigned("engine.step_time", '"5 GB"', "5 GB", "2 us"),
    assigned("hardware.engines.matrix.peaks.bf16", '"1 TB/s"', "1 TB/s", "FLOP/s"),
    assigned(
        "hardware.achieved",
        '{"extends": "gpu-datacenter", "gemm": {"default": {"compute": 0}}}',
        "compute",
        path=None,
        id="set-efficiency-of-zero",
    ),
    assigned(
        "hardware.achieved",
        '{"extends": "gpu-datacenter", "gemm": {"default": {"compute": 1.2}}}',
        "1.2",
        path="hardware.achieved.gemm.default.compute",
        id="set-efficiency-above-one",
    ),
)

KEYS = (
    line3("key-misspelt", "workload: {batchs: 8}\n", "workload.batchs", near="batch"),
    line3("key-in-brackets", "workload: {'batch[0]': 8}\n", "workload.batch[0]", near="batch"),
    line3("key-called-list", "workload: {list: 8}\n", "workload.list", "batch"),
    line3("section-misspelt", "wokload: {batch: 8}\n", "wokload", near="workload"),
    line3("short-name-in-a-file", "batch: 8\n", "batch"),
    line3("reserved-key", "training: {steps: 3}\n", "training"),
    line3(
        "component-key-misspelt",
        "engine: {extends: generic, utilisation: 0.8}\n",
        "engine.utilisation",
        near="utilization",
    ),
    line3("section-is-a-number", "workload: 3\n", "workload", "3"),
    line3("section-is-zero", "workload: 0\n", "workload", "0"),
    line3("section-is-false", "parallelism: false\n", "parallelism", "False"),
    line3("section-is-an-empty-text", "workload: ''\n", "workload", "''"),
    line3("section-is-an-empty-list", "placement: []\n", "placement", "[]"),
    line3("section-is-a-text", "parallelism: tp8\n", "parallelism", "tp8"),
    line3("section-is-a-list", "workload: [8, 1024]\n", "workload", "8, 1024"),
    line3("component-is-a-number", "weights: 8\n", "weights", "8"),
    line3("component-is-a-list", "weights: [fp8]\n", "weights", "fp8"),
    line3("component-is-a-boolean", "engine: true\n", "engine", "True"),
    line3("component-extends-a-number", "engine: {extends: 3}\n", "engine.extends", "3"),
    line3("component-extends-unknown", "engine: {extends: generik}\n", "engine.extends", near="generic"),
    line3("extends-unknown-scenario", "extends: nothing-like-it\n", "extends", "nothing-like-it"),
    line3("extends-a-list", "extends: [a]\n", "extends", "a"),
    line3("tiers-are-a-text", "placement: {tiers: hbm}\n", "placement.tiers", "hbm"),
    Case(
        "several-faults-at-once",
        FILE,
        ("h100-smx", "h100-sxm", "fp9", "fp8", "-1", "inputt", "1.5"),
        path="workload.inputt",
        near="input",
        file="s.yaml",
        line=6,
        files=raw(
            "model: llama-3.1-8b\nhardware: h100-smx\nweights: fp9\nworkload:\n  batch: -1\n  inputt: 5\n"
            "parallelism: {tp: 1.5}\n"
        ),
    ),
    Case("no-model", ("estimate", "--hardware", "h100-sxm"), ("model", "missing", "llama"), path="model"),
    Case("no-hardware", ("estimate", "--model", "llama-3.1-8b"), ("hardware", "missing", "h100"), path="hardware"),
    Case("neither-model-nor-hardware", ("estimate",), ("model", "hardware", "missing"), path="hardware"),
    Case("no-model-in-a-file", FILE, ("missing",), path="model", file="s.yaml", files=raw("hardware: h100-sxm\n")),
    Case("model-is-null", FILE, ("missing",), path="model", file="s.yaml", files=raw("model:\nhardware: h100-sxm\n")),
    Case(
        "unknown-key-in-json",
        JSON_FILE,
        ("batchs",),
        path="workload.batchs",
        near="batch",
        file="s.json",
        files=json_scenario('"workload": {"batchs": 8}'),
    ),
    Case(
        "duplicate-key-in-json",
        JSON_FILE,
        ("batch", "twice"),
        file="s.json",
        files=json_scenario('"workload": {"batch": 8, "batch": 9}'),
    ),
    Case(
        "extends-cycle",
        ("estimate", "{tmp}/a.yaml"),
        ("extends", "itself"),
        file="a.yaml",
        files={"a.yaml": SCENARIO + "extends: {tmp}/b.yaml\n", "b.yaml": "extends: {tmp}/a.yaml\n"},
    ),
    Case("extends-itself", FILE, ("extends", "itself"), file="s.yaml", files=scenario("extends: {tmp}/s.yaml\n")),
)

FILES = (
    whole_file("alias-bomb", SCENARIO + bomb(), "50000 values", alone=True),
    whole_file("alias-bomb-in-a-name", bomb(9) + SCENARIO + "name: *a8\n", "50000 values", alone=True),
    Case("alias-bomb-as-a-model", (*GOOD, "--model", "{tmp}/s.yaml"), file="s.yaml", files=raw(bomb()), alone=True),
    whole_file("nested-100000-lists", "[" * 100_000, "nest", line=1, alone=True),
    whole_file("nested-mappings", "name: " + "{a: " * 5000 + "1" + "}" * 5000, "nested", line=1),
    Case("nested-json", JSON_FILE, ("nested",), file="s.json", files={"s.json": "[" * 100_000}, alone=True),
    Case(
        "nested-complete-json",
        JSON_FILE,
        ("nested",),
        file="s.json",
        files=json_scenario('"name": ' + "[" * 500 + "]" * 500),
    ),
    Case(
        "nested-set", (*GOOD, "--set", "workload.batch=" + "[" * 100_000), ("[[[",), path="workload.batch", alone=True
    ),
    Case("nested-complete-set", (*GOOD, "--set", "workload.batch=" + "[" * 500 + "]" * 500), path="workload.batch"),
    Case(
        "nested-complete-set-in-a-component",
        (*GOOD, "--set", "model.layers=" + "[" * 900 + "]" * 900),
        path="model.layers",
    ),
    whole_file("binary", b"\x7fELF\x00\x01\x02" * 100, "binary"),
    whole_file("not-utf-8", b"name: caf\xe9\n", "UTF-8", "9"),
    whole_file("utf-16", SCENARIO.encode("utf-16"), "binary"),
    whole_file("empty", b"", "empty"),
    whole_file("blank", b" \n\n  \n", "empty"),
    whole_file("only-comments", "# model: llama-3.1-8b\n# nothing else\n", "mapping"),
    whole_file("several-documents", SCENARIO + "---\n" + SCENARIO, "more than one", line=3),
    whole_file("duplicate-key", SCENARIO + "model: mixtral-8x7b\n", "model", "twice", path="model", line=3),
    whole_file(
        "python-tag", SCENARIO + "name: !!python/object/apply:os.system ['touch {tmp}/owned']\n", "os.system", line=3
    ),
    whole_file("python-name-tag", SCENARIO + "name: !!python/name:os.system\n", "os.system", line=3),
    whole_file("binary-tag", SCENARIO + "name: !!binary aGVsbG8=\n", "binary", line=3),
    whole_file("merge-key", "b: &b {batch: 8}\n" + SCENARIO + "workload:\n  <<: *b\n", "merge", line=5),
    whole_file("list-as-key", SCENARIO + "? [a, b]\n: 1\n", "key", line=3),
    whole_file("alias-of-nothing", SCENARIO + "name: *nobody\n", "nobody", line=3),
    whole_file("anchor-inside-itself", SCENARIO + "name: &a [*a]\n", "a", line=3),
    whole_file("unfinished-yaml", SCENARIO + "workload: {batch: 8\n", "YAML"),
    whole_file("tab-as-indent", SCENARIO + "workload:\n\tbatch: 8\n", "YAML", line=4),
    whole_file("control-character", SCENARIO + "name: a\x07b\n", "YAML"),
    whole_file("a-list-at-the-top", "- model: llama-3.1-8b\n", "mapping"),
    whole_file("a-text-at-the-top", "llama-3.1-8b\n", "mapping", "llama-3.1-8b"),
    whole_file("larger-than-4-mib", SCENARIO + "#" * (4 * 2**20) + "\n", "4 MiB"),
    Case("unfinished-json", JSON_FILE, ("JSON",), file="s.json", line=1, files={"s.json": '{"model": "llama-3.1-8b"'}),
    Case(
        "json-of-20000-unknown-keys",
        JSON_FILE,
        ("k0",),
        file="s.json",
        files=json_scenario(", ".join(f'"k{n}": 0' for n in range(20_000))),
        alone=True,
        lines=60,
    ),
)


def _fifo(tmp: Path) -> None:
    os.mkfifo(tmp / "s.yaml")


def _unreadable(tmp: Path) -> None:
    (tmp / "s.yaml").write_text(SCENARIO)
    (tmp / "s.yaml").chmod(0)


PATHS = (
    Case("missing-file", FILE, ("s.yaml", "no such file")),
    Case("missing-model-file", (*GOOD, "--model", "{tmp}/none.yaml"), ("none.yaml",), path="model"),
    Case("missing-model-folder", (*GOOD, "--model", "{tmp}/none/"), ("none",), path="model"),
    Case("directory", FILE, ("s.yaml",), make=lambda tmp: (tmp / "s.yaml").mkdir()),
    Case("fifo", FILE, ("s.yaml",), make=_fifo, alone=True),
    Case(
        "fifo-as-hardware", (*GOOD, "--hardware", "{tmp}/s.yaml"), ("s.yaml",), path="hardware", make=_fifo, alone=True
    ),
    Case("endless-device", ("estimate", "/dev/zero"), ("/dev/zero",), alone=True),
    Case("unreadable", FILE, ("s.yaml", "denied"), make=_unreadable, as_user=True),
    Case("link-to-itself", FILE, ("s.yaml",), make=lambda tmp: (tmp / "s.yaml").symlink_to(tmp / "s.yaml")),
    Case("path-longer-than-the-system-allows", (*GOOD, "--model", "{tmp}/" + "n" * 5000 + ".yaml"), path="model"),
    Case("scenario-path-longer-than-the-system-allows", ("estimate", "n" * 5000 + ".yaml"), ("nnn",)),
    Case("missing-catalog", (*GOOD, "--catalog", "{tmp}/none"), ("none", "directory")),
    Case("catalog-is-a-file", (*GOOD, "--catalog", "{tmp}/a"), ("/a", "directory"), files={"a": "x"}),
    Case(
        "missing-catalog-of-the-environment",
        GOOD,
        ("none", "directory"),
        env={"LLMPERF_CATALOG": "{tmp}/none"},
        alone=True,
    ),
    Case("list-of-a-missing-catalog", ("list", "--catalog", "{tmp}/none"), ("none", "directory")),
)

LAYOUT = (
    flag("tp", "64", "64", "32", path="parallelism.tp"),
    Case(
        "tp-beyond-the-system",
        ("estimate", "--model", "llama-3.1-70b", "--hardware", "dgx-h100", "--tp", "16"),
        ("16", "8", "dgx-h100"),
        path="parallelism",
    ),
    Case("devices-contradict-the-layout", (*GOOD, "--devices", "8", "--tp", "4"), ("8", "4"), path="devices"),
    Case("devices-contradict-replicas", (*GOOD, "--devices", "8", "--replicas", "3"), ("8", "3"), path="devices"),
    Case("ep-does-not-divide", (*MIXTRAL, "--tp", "4", "--ep", "3"), ("3", "4"), path="parallelism.ep"),
    Case("ep-beyond-the-experts", (*MIXTRAL, "--tp", "16", "--ep", "16"), ("16", "8"), path="parallelism.ep"),
    Case("ep-on-a-dense-model", (*GOOD, "--tp", "2", "--ep", "2"), ("llama-3.1-8b", "expert"), path="parallelism.ep"),
    flag("pp", "64", "64", "32", path="parallelism.pp"),
    flag("input", "200000", "200128", "131072", path="workload", id="context-beyond-the-model"),
    Case(
        "prefix-is-the-input",
        (*GOOD, "--input", "100", "--shared-prefix", "100"),
        ("input",),
        path="workload.shared_prefix",
    ),
    Case("prefix-beyond-the-input", (*GOOD, "--input", "100", "--shared-prefix", "900"), path="workload.shared_prefix"),
    Case(
        "fp8-activations-on-a100",
        (*GOOD, "--hardware", "a100-sxm-80gb", "--activations", "fp8"),
        ("a100", "fp8", "bf16"),
    ),
    flag("tiers", "hbn", "hbn", "hbm", path="placement.tiers", near="hbm"),
    flag("tiers", "hbm,dram", "dram", "hbm", path="placement.tiers"),
    flag("tiers", "l2", "l2", "hbm", path="placement.tiers", id="a-cache-as-a-memory-tier"),
    flag("tiers", ",", "tier", path="placement.tiers", id="no-tier-at-all"),
    Case(
        "the-same-tier-twice",
        ("estimate", "--model", "llama-3.1-70b", "--hardware", "rtx-4090-workstation", "--tiers", "gddr,dram,dram"),
        ("dram",),
        path="placement.tiers",
    ),
    line3("layout-in-a-file", "parallelism: {tp: 64}\n", "parallelism.tp", "64", "32"),
)

CATALOG = (
    Case(
        "alias-of-two-chips",
        (*ON_CHIP, "--hardware", "twice"),
        ("twice", "one"),
        file="two.yaml",
        files={f"chips/{name}.yaml": CHIP + "aliases: [twice]\n" for name in ("one", "two")},
    ),
    Case(
        "two-files-of-one-name",
        ON_CHIP,
        ("acme.yaml", "acme.yml", "same name"),
        files={"chips/acme.yaml": CHIP, "chips/acme.yml": CHIP},
    ),
    Case(
        "aliases-that-are-a-number",
        ON_CHIP,
        ("3",),
        path="aliases",
        file="acme.yaml",
        line=11,
        files={"chips/acme.yaml": CHIP + "aliases: 3\n"},
    ),
    Case(
        "chip-without-main-memory",
        ON_CHIP,
        ("main", "capacity"),
        path="tiers",
        file="acme.yaml",
        line=5,
        files=chip("kind: main", "kind: cache"),
    ),
    Case(
        "chip-without-engines",
        ON_CHIP,
        ("missing",),
        path="engines",
        file="acme.yaml",
        files=chip("engines:\n  matrix: {kind: matrix, peaks: {bf16: 100 TFLOP/s}}\n", ""),
    ),
    Case(
        "chip-without-a-matrix-engine",
        ON_CHIP,
        ("matrix",),
        path="engines",
        file="acme.yaml",
        line=3,
        files=chip("kind: matrix", "kind: vector"),
    ),
    Case(
        "chip-without-sources",
        ON_CHIP,
        ("missing",),
        path="sources",
        file="acme.yaml",
        files=chip("sources: {all: made up for a test}\n", ""),
    ),
    Case(
        "chip-without-efficiencies",
        ON_CHIP,
        ("missing", "gpu-datacenter"),
        path="achieved",
        file="acme.yaml",
        files=chip("achieved: gpu-datacenter\n", ""),
    ),
    Case(
        "chip-of-unknown-efficiencies",
        ON_CHIP,
        ("gpu-datacentre",),
        path="achieved",
        near="gpu-datacenter",
        file="acme.yaml",
        line=9,
        files=chip("gpu-datacenter", "gpu-datacentre"),
    ),
    Case(
        "chip-that-names-an-unknown-link",
        ON_CHIP,
        ("pci", "bus"),
        path="tiers.dram.via",
        file="acme.yaml",
        line=7,
        files=chip("links:", "  dram: {kind: host, capacity: 1 TB, via: pci}\nlinks:"),
    ),
    Case(
        "chip-whose-engine-reads-an-unknown-tier",
        ON_CHIP,
        ("hbn", "hbm"),
        path="engines.matrix.reads",
        file="acme.yaml",
        line=4,
        files=chip("TFLOP/s}}", "TFLOP/s}, reads: hbn}"),
    ),
    Case(
        "chip-with-a-bandwidth-in-flops",
        ON_CHIP,
        ("2 TFLOP/s", "B/s"),
        path="tiers.hbm.bandwidth",
        file="acme.yaml",
        line=6,
        files=chip("2 TB/s", "2 TFLOP/s"),
    ),
    Case(
        "chip-with-a-key-misspelt",
        ON_CHIP,
        ("vendour",),
        path="vendour",
        near="vendor",
        file="acme.yaml",
        line=2,
        files=chip("vendor", "vendour"),
    ),
    Case(
        "chip-that-extends-an-unknown-one",
        ON_CHIP,
        ("h100-smx",),
        path="extends",
        near="h100-sxm",
        file="acme.yaml",
        line=2,
        files={"chips/acme.yaml": "name: acme\nextends: h100-smx\n"},
    ),
    Case(
        "chips-that-extend-each-other",
        ON_CHIP,
        ("extends", "itself"),
        files={"chips/acme.yaml": "extends: other\n", "chips/other.yaml": "extends: acme\n"},
    ),
    Case("damaged-chip", ON_CHIP, ("YAML",), file="acme.yaml", files={"chips/acme.yaml": "kind: [gpu\n"}),
)

CONFIGS = (
    Case(
        "experts-under-other-names",
        ON_CONFIG,
        ("num_local_experts", "num_local_expert_count"),
        file="config.json",
        files=config(MOE_CONFIG, num_local_experts=..., num_local_expert_count=8),
    ),
    Case(
        "experts-of-a-dense-architecture",
        ON_CONFIG,
        ("num_moe_experts", "dense"),
        path="num_moe_experts",
        file="config.json",
        files=config(num_moe_experts=8),
    ),
    Case(
        "unknown-architecture",
        ON_CONFIG,
        ("num_zebra_experts",),
        file="config.json",
        files=config(architectures=["LamaForCausalLM"], num_zebra_experts=8),
    ),
    Case(
        "no-hidden-size",
        ON_CONFIG,
        ("hidden_size", "missing"),
        path="hidden_size",
        file="config.json",
        files=config(hidden_size=...),
    ),
    Case(
        "hidden-size-misspelt",
        ON_CONFIG,
        ("hidden_sise", "missing"),
        path="hidden_sise",
        near="hidden_size",
        file="config.json",
        files=config(hidden_size=..., hidden_sise=4096),
    ),
    Case(
        "hidden-size-is-a-text",
        ON_CONFIG,
        ("'4096'",),
        path="hidden_size",
        file="config.json",
        files=config(hidden_size="4096"),
    ),
    Case(
        "layers-are-negative",
        ON_CONFIG,
        ("-32",),
        path="num_hidden_layers",
        file="config.json",
        files=config(num_hidden_layers=-32),
    ),
    Case(
        "unknown-quantization",
        ON_CONFIG,
        ("fp88",),
        path="quantization_config.quant_method",
        near="fp8",
        file="config.json",
        files=config(quantization_config={"quant_method": "fp88"}),
    ),
    Case(
        "config-in-a-folder",
        (*GOOD, "--model", "{tmp}"),
        ("hidden_size",),
        path="hidden_size",
        file="config.json",
        files=config(hidden_size=...),
    ),
    Case("config-is-a-list", ON_CONFIG, ("mapping",), file="config.json", files={"config.json": "[1, 2]"}),
)

HOSTILE_TEXT = (
    flag("model", ESCAPE, "red", id="escape-in-a-model", path="model"),
    flag("model", f"{{tmp}}/{ESCAPE}.yaml", "red", id="escape-in-a-missing-path", path="model"),
    flag("batch", ESCAPE, "red", id="escape-in-a-number", path="workload.batch"),
    flag("tiers", ESCAPE, "red", id="escape-in-a-tier"),
    flag(ESCAPE, "8", "red", id="escape-in-a-flag"),
    Case("escape-in-a-command", (ESCAPE,), ("red",)),
    Case("escape-in-an-argument", ("estimate", "one", ESCAPE), ("red",)),
    Case("escape-in-a-phase", ("ops", *GOOD[1:], "--phase", ESCAPE), ("red",)),
    Case("escape-in-a-kind", ("list", ESCAPE), ("red",)),
    Case("escape-in-a-catalog", (*GOOD, "--catalog", f"{{tmp}}/{ESCAPE}"), ("red", "directory")),
    Case("escape-in-set-without-equals", (*GOOD, "--set", ESCAPE), ("red",)),
    assigned(ESCAPE, "8", "red", id="escape-in-a-path", path=None),
    assigned(f"workload.{ESCAPE}", "8", "red", id="escape-in-a-nested-path", path=None),
    line3("escape-in-a-yaml-name", 'name: "\\e[31mred"\n', "name", "red"),
    Case("escape-in-a-yaml-key", FILE, ("red",), file="s.yaml", line=3, files=scenario('"\\e[31mred": 8\n')),
    Case(
        "escape-in-a-nested-yaml-key",
        FILE,
        ("red",),
        line=3,
        file="s.yaml",
        files=scenario('workload: {"\\e[31mred": 8}\n'),
    ),
    Case("escape-in-a-duplicate-yaml-key", FILE, ("twice",), file="s.yaml", files=scenario('"\\e[31mred": 8\n' * 2)),
    Case(
        "escape-in-a-file-name", ("estimate", f"{{tmp}}/{ESCAPE}.yaml"), ("red", "empty"), files={f"{ESCAPE}.yaml": ""}
    ),
    Case("escape-in-a-json-key", JSON_FILE, ("red",), file="s.json", files=json_scenario('"\\u001b[31mred": 8')),
    Case("newline-in-a-flag", (*GOOD, "--batch", "1\nerror: all is well"), ("1",), path="workload.batch", lines=1),
    Case("right-to-left-override", (*GOOD, "--model", "llama\u202e8b"), ("llama",), path="model"),
    flag("model", MEGABYTE, "xxx", id="long-model", path="model"),
    flag("batch", MEGABYTE, "xxx", id="long-number", path="workload.batch"),
    flag("weights", "fp8," * 250_000, "fp8", id="long-weights", path="weights"),
    flag("tiers", MEGABYTE, "xxx", id="long-tier", path="placement.tiers.0"),
    flag("tiers", "y," * 100_000, "y", id="many-tiers"),
    flag(MEGABYTE, "8", "xxx", id="long-flag"),
    Case("long-command", (MEGABYTE,), ("xxx",)),
    Case("long-argument", ("estimate", "one", MEGABYTE), ("xxx",)),
    Case("long-scenario", ("estimate", MEGABYTE), ("xxx",)),
    Case("long-kind", ("list", MEGABYTE), ("xxx",)),
    Case("long-entry", ("show", MEGABYTE), ("xxx",)),
    Case("long-schema", ("schema", MEGABYTE), ("xxx",)),
    assigned(MEGABYTE, "8", "xxx", id="long-path", path=None),
    assigned(f"workload.{MEGABYTE}", "8", "xxx", id="long-nested-path", path=None),
    assigned("hardware.tiers.hbm.bandwidth", MEGABYTE, "xxx", id="long-quantity"),
    assigned("hardware.tiers.hbm.kind", MEGABYTE, "xxx", id="long-choice"),
    assigned("workload", "." * 10**5, "...", id="long-dots"),
    Case("many-dots-in-a-path", (*GOOD, "--set", "workload" + ".a" * 10**5 + "=8"), ("workload",)),
    Case("long-json-key", JSON_FILE, ("xxx",), file="s.json", files=json_scenario(f'"{MEGABYTE}": 8')),
    Case("long-yaml-name", FILE, ("xxx",), path="name", file="s.yaml", files=scenario(f"name: {MEGABYTE}\n")),
)

CASES = (
    *NAMES,
    *COMMAND_LINE,
    *NUMBERS,
    *UNITS,
    *KEYS,
    *FILES,
    *PATHS,
    *LAYOUT,
    *CATALOG,
    *CONFIGS,
    *HOSTILE_TEXT,
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: re.sub(r"[^\w.=+,-]+", "_", case.id)[:60])


def placed(text: str, tmp: Path) -> str:
    return text.replace("{tmp}", str(tmp))


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no catalog or cache of the machine's user."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("LLMPERF_CATALOG", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return here


def prepare(case: Case, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the files of a case; returns its arguments."""
    if case.as_user and os.geteuid() == 0:
        pytest.skip("root may read everything")
    for name, content in case.files.items():
        target = tmp / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(placed(content, tmp).encode() if isinstance(content, str) else content)
    if case.make:
        case.make(tmp)
    for key, value in case.env.items():
        monkeypatch.setenv(key, placed(value, tmp))
    return [placed(arg, tmp) for arg in case.args]


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def in_a_process(arguments: list[str]) -> Answer:
    """Run the command line in a process of its own, with little memory and time."""
    program = "from llmperf.interfaces.cli import main; main()"
    path = os.pathsep.join(filter(None, (str(Path(llmperf.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        preexec_fn=limit_memory,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def here(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Run the command line in this process; an exception that leaves it is shown as Python would."""
    from llmperf.interfaces.cli import main

    monkeypatch.setattr(sys, "argv", ["llmperf", *arguments])
    try:
        main()
        code: Any = 0
    except SystemExit as leaving:
        code = leaving.code
    except Exception:
        code = 1
        sys.stderr.write(traceback.format_exc(limit=-6))
    streams = capsys.readouterr()
    return Answer(code, streams.out, streams.err)


def shortened(text: str) -> str:
    return text if len(text) < 3000 else f"{text[:1500]} ... {text[-1500:]}"


@every_case
def test_wrong_input_is_named_in_a_few_plain_lines(
    case: Case, tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = prepare(case, tmp, monkeypatch)
    answer = in_a_process(arguments) if case.alone else here(arguments, monkeypatch, capsys)
    err = shortened(answer.err)
    assert "Traceback" not in answer.out + answer.err, err
    assert answer.code == 2, err
    assert answer.out == ""
    lines = answer.err.splitlines()
    assert any(line.startswith("error: ") for line in lines), err
    assert len(lines) <= case.lines, err
    assert max(map(len, lines)) <= MAX_WIDTH, err
    assert [c for c in answer.err if not c.isprintable() and c != "\n"] == []
    where = f"{case.file}:{case.line}" if case.line else case.file
    for said in (*case.says, case.path, case.near, where):
        assert said is None or said in answer.err, f"{said!r} is not in {err}"
    assert not (tmp / "owned").exists()


@every_case
def test_wrong_input_is_one_json_object_for_programs(
    case: Case, tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = prepare(case, tmp, monkeypatch)
    arguments = [command, "--json", *rest]
    answer = in_a_process(arguments) if case.alone else here(arguments, monkeypatch, capsys)
    assert answer.err == "", shortened(answer.err)
    assert answer.code == 2
    assert answer.out.isascii()
    data = json.loads(answer.out, parse_constant=pytest.fail)
    assert set(data) == {"errors"}
    errors = data["errors"]
    assert 1 <= len(errors) <= case.lines, len(errors)
    for error in errors:
        assert set(error) == ERROR_KEYS
        assert isinstance(error["message"], str)
        assert error["message"]
        assert isinstance(error["path"], str)
        assert error["line"] is None or error["line"] >= 1
        assert isinstance(error["allowed"], list)
        assert all(isinstance(name, str) for name in error["allowed"])
        assert max(len(str(value)) for key, value in error.items() if key != "allowed") <= MAX_WIDTH
    said = " ".join(str(value) for error in errors for value in error.values())
    assert [text for text in case.says if text not in said] == [], shortened(said)
    assert not case.path or case.path in [error["path"] for error in errors], shortened(said)
    assert case.near is None or any(case.near in (error["suggestion"] or "") for error in errors), shortened(said)
    if case.file:
        places = [(Path(error["file"] or "").name, error["line"] if case.line else None) for error in errors]
        assert (case.file, case.line) in places, shortened(said)


def test_there_are_many_cases_and_each_has_its_own_name() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)


RIGHT = (
    Case("flags", GOOD),
    Case("moe", (*MIXTRAL, "--tp", "2", "--ep", "2")),
    Case("yaml", FILE, files=scenario("workload: {batch: 8}\n")),
    Case("json", JSON_FILE, files=json_scenario('"workload": {"batch": 8}')),
    Case("chip", ON_CHIP, files=chip("TB/s", "TB/s")),
    Case("config", ON_CONFIG, files=config()),
    Case("moe-config", (*ON_CONFIG, "--tp", "2"), files=config(MOE_CONFIG)),
    Case("set", (*GOOD, "--set", 'hardware.tiers.hbm.bandwidth="4 TB/s"')),
    Case(
        "tiers", ("estimate", "--model", "llama-3.1-8b", "--hardware", "rtx-4090-workstation", "--tiers", "gddr,dram")
    ),
    Case("aliases", FILE, files=raw("workload: &w {batch: 8}\n" + SCENARIO + "# see above\n"), alone=True),
)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.id)
def test_the_right_input_beside_the_wrong_one_is_answered(
    case: Case, tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = prepare(case, tmp, monkeypatch)
    answer = in_a_process(arguments) if case.alone else here(arguments, monkeypatch, capsys)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


@pytest.mark.usefixtures("tmp")
def test_a_real_process_answers_as_the_command_line_in_this_process_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*GOOD, "--hardware", "h100-smx", "--batch", "nan"]
    assert in_a_process(arguments) == here(arguments, monkeypatch, capsys)
    assert in_a_process([*arguments, "--json"]) == here([*arguments, "--json"], monkeypatch, capsys)


PYTHON: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "arrays-that-do-not-broadcast": (
        {"batch": np.arange(1, 4), "input": np.arange(1, 5)},
        "",
        ("batch", "input", "3", "4"),
    ),
    "empty-array": ({"batch": np.array([])}, "workload.batch", ()),
    "nan-first": ({"batch": np.array([np.nan, 1.0])}, "workload.batch", ()),
    "nan-later": ({"batch": np.array([1.0, np.nan])}, "workload.batch", ("finite",)),
    "inf-later": ({"input": np.array([1.0, np.inf])}, "workload.input", ("finite",)),
    "negative-element": ({"batch": np.array([1, 2, -3])}, "workload.batch", ("-3",)),
    "zero-element": ({"output": np.array([1, 2, 0])}, "workload.output", ("0",)),
    "fractional-element": ({"batch": np.array([1.0, 2.5, 4.0])}, "workload.batch", ("2.5",)),
    "boolean-array": ({"batch": np.array([True, True])}, "workload.batch", ("True",)),
    "text-array": ({"batch": np.array(["8", "9"])}, "workload.batch", ("8",)),
    "object-array": ({"batch": np.array([8, None])}, "workload.batch", ("None",)),
    "complex-array": ({"batch": np.array([1j])}, "workload.batch", ("j",)),
    "array-of-models": ({"model": np.array([1, 2])}, "model", ("1",)),
    "list-in-place-of-an-array": ({"batch": [1, 2, 3]}, "workload.batch", ("[1, 2, 3]",)),
    "tuple-in-place-of-an-array": ({"batch": (1, 2)}, "workload.batch", ("(1, 2)",)),
    "tp-array-beyond-the-heads": ({"tp": np.array([1, 64])}, "parallelism.tp", ("64", "32")),
    "context-array-beyond-the-model": ({"input": np.array([1, 200_000])}, "workload", ("200128", "131072")),
    "devices-array-that-contradicts": ({"devices": np.array([2, 4]), "tp": 2}, "devices", ("4", "2")),
    "negative-bandwidths": (
        {"scenario": {"hardware.tiers.hbm.bandwidth": np.array([1e12, -1e12])}},
        "hardware.tiers.hbm.bandwidth",
        ("-1000000000000",),
    ),
    "nan-scalar": ({"batch": float("nan")}, "workload.batch", ("nan",)),
    "nan-numpy-scalar": ({"batch": np.float64("nan")}, "workload.batch", ("nan",)),
    "numpy-boolean": ({"batch": np.True_}, "workload.batch", ("True",)),
    "text-scalar": ({"batch": "8"}, "workload.batch", ("'8'",)),
    "huge-integer": ({"batch": 10**5000}, "workload.batch", ("whole number",)),
    "complex-scalar": ({"batch": 1j}, "workload.batch", ("1j",)),
    "bytes-as-model": ({"model": b"llama-3.1-8b"}, "model", ("llama-3.1-8b",)),
    "object-as-model": ({"model": object()}, "model", ("object",)),
    "set-as-model": ({"model": {"llama-3.1-8b"}}, "model", ("llama-3.1-8b",)),
    "set-inside-a-model": ({"model": {"extends": "llama-3.1-8b", "layers": {1}}}, "model.layers", ("1",)),
    "mapping-of-unknown-model": ({"model": {"extends": "lama-3.1-8b"}}, "model.extends", ("llama-3.1-8b",)),
    "unknown-keyword": ({"batchs": 8}, "batchs", ("batch",)),
    "key-that-is-no-text": ({"scenario": {1: 2}}, "", ("1",)),
    "inner-key-that-is-no-text": ({"scenario": {"workload": {1: 2}}}, "", ("1",)),
    "scenario-that-is-a-number": ({"scenario": 3}, "", ("3",)),
    "scenario-that-is-a-list": ({"scenario": ["llama-3.1-8b"]}, "", ("llama-3.1-8b",)),
    "path-with-a-null-byte": ({"model": "a\0b.yaml"}, "model", ("b.yaml",)),
    "catalog-that-is-one-text": ({"catalog": "/nowhere"}, "", ("/nowhere",)),
}


@pytest.mark.usefixtures("tmp")
@pytest.mark.parametrize(("keywords", "path", "says"), PYTHON.values(), ids=PYTHON.keys())
def test_python_raises_an_input_error_that_names_what_is_wrong(
    keywords: dict[str, Any], path: str, says: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as raised:
        llmperf.estimate(**{"model": "llama-3.1-8b", "hardware": "h100-sxm"} | keywords)
    text = str(raised.value)
    assert [said for said in says if said not in text] == [], text
    assert not path or path in [problem.path for problem in raised.value.problems], text
    assert len(text.splitlines()) <= MAX_LINES
    assert len(text) <= MAX_WIDTH
    assert [c for c in text if not c.isprintable() and c != "\n"] == []


def test_a_file_that_became_wrong_is_refused_although_it_was_right_before(tmp: Path) -> None:
    file = tmp / "config.json"
    file.write_text(json.dumps(CONFIG))
    llmperf.estimate(model=str(file), hardware="h100-sxm")
    file.write_text(json.dumps(CONFIG | {"hidden_size": -1}))
    with pytest.raises(InputError, match="hidden_size"):
        llmperf.estimate(model=str(file), hardware="h100-sxm")


@pytest.mark.usefixtures("tmp")
def test_a_catalog_that_went_away_is_missed_although_its_entries_were_read_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm")
    monkeypatch.setenv("LLMPERF_CATALOG", "/nowhere")
    with pytest.raises(InputError, match="/nowhere"):
        llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm")


def test_several_faults_of_one_call_are_all_reported_at_once() -> None:
    with pytest.raises(InputError) as raised:
        llmperf.estimate(model="lama-3.1-8b", hardware="h100-smx", weights="fp9", batch=-1, tp=1.5)
    assert {problem.path for problem in raised.value.problems} == {
        "model",
        "hardware",
        "weights",
        "workload.batch",
        "parallelism.tp",
    }
