"""Text that would move a terminal's cursor, break a line or fill a screen: it is shown as text, and cut."""

from __future__ import annotations

from pathlib import Path

from wrong import (
    ESCAPE,
    FILE,
    GOOD,
    JSON_FILE,
    MEGABYTE,
    Case,
    assigned,
    cases,
    flag,
    json_scenario,
    line3,
    named_in_plain_lines,
    one_json_object,
    scenario,
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
    Case("escape-in-a-name-to-list", ("list", "model", ESCAPE), ("red",)),
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
    Case("long-name-to-list", ("list", "model", MEGABYTE), ("xxx",)),
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


@cases(*HOSTILE_TEXT)
def test_wrong_input_is_named_in_a_few_plain_lines(case: Case, empty: Path) -> None:
    named_in_plain_lines(case, empty)


@cases(*HOSTILE_TEXT)
def test_wrong_input_is_one_json_object_for_programs(case: Case, empty: Path) -> None:
    one_json_object(case, empty)
