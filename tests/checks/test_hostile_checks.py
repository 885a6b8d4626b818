"""Reports of checks whose names and arguments are hostile or wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

CHECK = 'model: gpt2\nhardware: l40s\nexpect: {fits: true}\nname: "turn\\u202Ed\\uFEFF\\u009Bx\\u0001"\n'


def test_text_that_turns_or_hides_text_is_written_out(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "c.llmperf.yaml").write_text(CHECK)
    done = run("check", "c.llmperf.yaml", "--format", "junit", cwd=tmp_path)
    assert not [character for character in "\u202e\ufeff\x9b\x01" if character in done.stdout + done.stderr]
    ElementTree.fromstring(done.stdout.partition("\n")[2])


def test_errors_are_json_where_the_report_would_be(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "c.llmperf.yaml").write_text("model: gpt2\nhardware: l40s\nexpect: {fits: true}\ntags: [x]\n")
    for words in (("--format", "json"), ("--format=json",), ("--json",)):
        done = run("check", "c.llmperf.yaml", *words, "--tag", "nope", cwd=tmp_path)
        assert done.returncode == 2
        assert "no check has the tag 'nope'" in json.loads(done.stdout)["errors"][0]["message"]


def test_an_error_is_not_preceded_by_a_count_of_nothing(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "d.yaml").write_text("a: 1\n")
    done = run("check", "--from", "d.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: d.yaml: is no deployment file")
