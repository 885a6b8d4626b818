"""Files that are reached through another: what is none of ours is refused without a word of what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SECRET = "SECRETKEY: hunter2\nanother: {x: topsecret}\n"
GOOD = "model: gpt2\nhardware: l40s\n"


@pytest.fixture
def refused(tmp_path: Path, run: Callable[..., Any]) -> Callable[..., str]:
    """The message of a command that fails, once it is known to hold no secret."""

    def call(*arguments: str, files: dict[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        done = run(*arguments, cwd=tmp_path)
        said: str = done.stdout + done.stderr
        assert done.returncode == 2
        assert not [word for word in ("SECRETKEY", "hunter2", "another", "topsecret") if word in said], said
        return said

    return call


@pytest.mark.parametrize("own", ["", GOOD, GOOD + "expect: {fits: true}\n"])
@pytest.mark.parametrize("command", ["estimate", "check"])
def test_an_extended_file_of_something_else_is_named_with_the_line(
    command: str, own: str, refused: Callable[..., str]
) -> None:
    said = refused(command, "c.yaml", files={"secret.yaml": SECRET, "c.yaml": f"{own}extends: secret.yaml\n"})
    line = own.count("\n") + 1
    assert f"error: c.yaml:{line}: extends: secret.yaml is no scenario: 2 of its 2 keys are unknown\n" in said


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("model: ./secret.yaml\nhardware: l40s\n", "model"),
        ("model: gpt2\nhardware: ./secret.yaml\n", "hardware"),
        ("model: gpt2\nhardware: {extends: ./secret.yaml, cores: 3}\n", "hardware"),
        ("model: gpt2\nhardware: {extends: l40s, achieved: ./secret.yaml}\n", "achieved"),
        ("model: gpt2\nhardware: {extends: l40s, tiers: {gddr: {extends: ./secret.yaml}}}\n", "tier"),
        (GOOD + "weights: ./secret.yaml\n", "weights"),
        (GOOD + "engine: ./secret.yaml\n", "engine"),
    ],
)
def test_a_component_of_something_else_is_named(text: str, kind: str, refused: Callable[..., str]) -> None:
    said = refused("estimate", "c.yaml", files={"secret.yaml": SECRET, "c.yaml": text})
    assert f"secret.yaml: is no {kind}: 2 of its 2 keys are unknown\n" in said


def test_a_file_of_variables_is_not_repeated(refused: Callable[..., str]) -> None:
    said = refused("estimate", "c.yaml", files={".env.yaml": "TOKEN=topsecret\n", "c.yaml": "extends: .env.yaml\n"})
    assert said == "error: .env.yaml: must be a mapping, not a text\n"


def test_a_misspelt_key_is_laid_to_the_file_that_has_it(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "base.yaml").write_text(GOOD + "wieghts: fp8\n")
    (tmp_path / "c.yaml").write_text("extends: base.yaml\n")
    done = run("estimate", "c.yaml", cwd=tmp_path)
    assert done.stderr.startswith("error: base.yaml:3: wieghts: unknown key 'wieghts' (did you mean weights?)")
    (tmp_path / "typo.yaml").write_text("modle: gpt2\n")
    assert "did you mean model?" in run("estimate", "typo.yaml", cwd=tmp_path).stderr


def test_a_linked_file_finds_what_lies_beside_its_target(tmp_path: Path, run: Callable[..., Any]) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "base.yaml").write_text(GOOD)
    (there / "c.yaml").write_text("extends: base.yaml\n")
    (here / "c.yaml").symlink_to(there / "c.yaml")
    assert run("estimate", "c.yaml", cwd=here).returncode == 0
    (here / "base.yaml").write_text("model: gpt2\nhardware: h100-sxm\n")  # beside the link goes first
    assert "h100-sxm" in run("estimate", "c.yaml", cwd=here).stdout


def test_a_descriptor_of_the_working_directory_that_hides_the_catalog_is_said(
    empty: Path, run: Callable[..., Any]
) -> None:
    chips = empty / "llmperf.d" / "chips"
    chips.mkdir(parents=True)
    (chips / "h100-sxm.yaml").write_text("extends: l40s\n")
    (chips / "mine.yaml").write_text("extends: l40s\n")
    said = "hardware h100-sxm is that of llmperf.d/chips/h100-sxm.yaml, not of the catalog that ships"
    hidden = run("estimate", "--model", "gpt2", "--hardware", "h100-sxm")
    assert said in " ".join(hidden.stdout.split())
    assert "of the catalog that ships" not in run("estimate", "--model", "gpt2", "--hardware", "mine").stdout


@pytest.mark.parametrize("command", ["estimate", "check"])
@pytest.mark.parametrize("inside", [False, True])
def test_tens_of_thousands_of_unknown_keys_take_no_time(
    inside: bool, command: str, tmp_path: Path, run: Callable[..., Any]
) -> None:
    keys = "".join(f"{'  ' * inside}k{number}: 1\n" for number in range(49_000))
    (tmp_path / "c.yaml").write_text(GOOD + ("workload:\n" if inside else "") + keys)
    begin = time.process_time()
    done = run(command, "c.yaml", cwd=tmp_path)
    assert time.process_time() - begin < 5.0  # 12 to 60 s where every key was compared with all others
    assert done.returncode == 2
    assert "48951 more" in done.stderr or "48800 more" in done.stderr


def test_values_written_twice_are_found_among_many(tmp_path: Path, run: Callable[..., Any]) -> None:
    for text in (
        "workload: {batch: 2}\nbatch: 3\n",
        "batch: 3\nworkload: {batch: 2}\n",
        "workload.batch: 2\nbatch: 3\n",
    ):
        (tmp_path / "c.llmperf.yaml").write_text(GOOD + "expect: {fits: true}\n" + text)
        done = run("check", "c.llmperf.yaml", cwd=tmp_path)
        assert "is written twice, under" in done.stderr


def test_a_very_wide_terminal_gets_a_plot_of_bounded_width(run: Callable[..., Any]) -> None:
    begin = time.process_time()
    done = run("roofline", "--model", "gpt2", "--hardware", "l40s", COLUMNS="10000")
    assert time.process_time() - begin < 5.0
    assert max(map(len, done.stdout.splitlines())) <= 240
