"""Files that are wrong, hostile or absent: refused in bounded time and memory, with the line."""

from __future__ import annotations

import os
from pathlib import Path

from wrong import (
    FILE,
    GOOD,
    JSON_FILE,
    SCENARIO,
    Case,
    answered,
    cases,
    json_scenario,
    named_in_plain_lines,
    one_json_object,
    raw,
    whole_file,
)


def bomb(levels: int = 40) -> str:
    """Each level holds the one before nine times."""
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


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
    whole_file("a-text-at-the-top", "llama-3.1-8b\n", "mapping", "a text"),
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


@cases(*FILES, *PATHS)
def test_wrong_input_is_named_in_a_few_plain_lines(case: Case, empty: Path) -> None:
    named_in_plain_lines(case, empty)


@cases(*FILES, *PATHS)
def test_wrong_input_is_one_json_object_for_programs(case: Case, empty: Path) -> None:
    one_json_object(case, empty)


@cases(
    Case("aliases", FILE, files=raw("workload: &w {batch: 8}\n" + SCENARIO + "# see above\n"), alone=True),
)
def test_the_right_input_beside_the_wrong_one_is_answered(case: Case, empty: Path) -> None:
    answered(case, empty)
