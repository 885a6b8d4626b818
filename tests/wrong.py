"""Wrong input: cases of it, and what an answer must be: a message that names what is wrong, no traceback, no hang."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import llmperf
from calling import called

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


def scenario(text: str, *, base: str = SCENARIO) -> dict[str, str]:
    """A scenario file: two good lines, then `text` from line 3 on."""
    return {"s.yaml": base + text}


def raw(content: str | bytes) -> dict[str, str | bytes]:
    """A scenario file with nothing but `content`."""
    return {"s.yaml": content}


def json_scenario(text: str) -> dict[str, str]:
    return {"s.json": "{" + JSON_SCENARIO + ", " + text + "}"}


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


def cases(*of: Case) -> pytest.MarkDecorator:
    """A test for each case, under its own name."""
    assert len({case.id for case in of}) == len(of)
    return pytest.mark.parametrize("case", of, ids=lambda case: re.sub(r"[^\w.=+,-]+", "_", case.id)[:60])


def placed(text: str, tmp: Path) -> str:
    return text.replace("{tmp}", str(tmp))


def ask(case: Case, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What the command line answers to a case in a folder, whose files are made first; `more` follows the command."""
    if case.as_user and os.geteuid() == 0:
        pytest.skip("root may read everything")
    for name, content in case.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(placed(content, folder).encode() if isinstance(content, str) else content)
    if case.make:
        case.make(folder)
    command, *rest = (placed(arg, folder) for arg in case.args)
    environment = {key: placed(value, folder) for key, value in case.env.items()}
    return (in_a_process if case.alone else called)(command, *more, *rest, **environment)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with little memory and time."""
    program = "from llmperf.interfaces.cli import main; main()"
    path = os.pathsep.join(filter(None, (str(Path(llmperf.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        preexec_fn=limit_memory,
        env=os.environ | {"PYTHONPATH": path} | environment,
        check=False,
    )


def shortened(text: str) -> str:
    return text if len(text) < 3000 else f"{text[:1500]} ... {text[-1500:]}"


def named_in_plain_lines(case: Case, folder: Path) -> None:
    """Wrong input is named in a few plain lines."""
    answer = ask(case, folder)
    err = shortened(answer.stderr)
    assert "Traceback" not in answer.stdout + answer.stderr, err
    assert answer.returncode == 2, err
    assert answer.stdout == ""
    lines = answer.stderr.splitlines()
    assert any(line.startswith("error: ") for line in lines), err
    assert len(lines) <= case.lines, err
    assert max(map(len, lines)) <= MAX_WIDTH, err
    assert [c for c in answer.stderr if not c.isprintable() and c != "\n"] == []
    where = f"{case.file}:{case.line}" if case.line else case.file
    for said in (*case.says, case.path, case.near, where):
        assert said is None or said in answer.stderr, f"{said!r} is not in {err}"
    assert not (folder / "owned").exists()


def one_json_object(case: Case, folder: Path) -> None:
    """Wrong input is one JSON object for programs."""
    answer = ask(case, folder, "--json")
    assert answer.stderr == "", shortened(answer.stderr)
    assert answer.returncode == 2
    assert answer.stdout.isascii()
    data = json.loads(answer.stdout, parse_constant=pytest.fail)
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


def answered(case: Case, folder: Path) -> None:
    """The right input beside the wrong one is answered."""
    answer = ask(case, folder)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout
