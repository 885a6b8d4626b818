"""What every command answers to the recorded scenarios, through its real entry point: ``make golden`` writes it anew.

The files are a net under changes of structure: they say what was answered before, not what is right.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calling import called
from golden.scenarios import SCENARIOS

ANSWERS = Path(__file__).with_name("answers")
CLAIMS = Path(__file__).with_name("claims.json")
"""What was predicted for the published results that ship."""
EXPECTED = {
    "ttft_s": {"max": 0.5},
    "tpot_s": {"max": "20 ms"},
    "bound.e2e_s": {"max": 1.0},
    "output_tokens_per_s": {"min": 1000},
    "memory.weights": {"max": "40 GiB"},
    "fits": True,
    "max_batch": {"min": 8},
}
"""Limits of the recorded checks: some hold, some do not."""
COMMANDS: dict[str, list[str]] = {
    "estimate": ["--explain"],
    "memory": [],
    "ops": [],
    "ops --phase mixed": [],
    "roofline": [],
    "compare": ["--with", "kv_cache=fp8", "--with", "weights=fp8", "--with", "batch=3"],
}
"""Command -> its flags beside those of the scenario."""


def answered(arguments: list[str]) -> Any:
    """The JSON that a command prints."""
    return json.loads(called(*arguments, "--json").stdout)


def answers(name: str) -> dict[str, Any]:
    """Every command's answer to one scenario."""
    given = {key: ",".join(value) if isinstance(value, list) else value for key, value in SCENARIOS[name].items()}
    flags = [part for key, value in given.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    found = {
        command: trimmed(answered([*command.split(), *flags, *more]), command) for command, more in COMMANDS.items()
    }
    with _folder():
        data = {**SCENARIOS[name], "expect": EXPECTED}
        Path("golden.llmperf.yaml").write_text(json.dumps(data))
        found["check"] = trimmed(answered(["check", "golden.llmperf.yaml"]), "check")
    return found


def claims() -> dict[str, Any]:
    """The verdict on every published result that ships, and the number predicted for it, to fifteen digits."""
    found = answered(["validate", "--shipped", "claims"])["claims"]
    return {claim["id"]: _predicted(claim) for claim in found}


def _predicted(claim: dict[str, Any]) -> list[Any]:
    number = claim["predicted"]
    return [claim["verdict"], *([] if number is None else [float(f"{number:.15g}")])]


def trimmed(answer: Any, command: str) -> Any:
    """An answer without the version, and but for `estimate` without the resolved scenario, which are all the same."""
    if isinstance(answer, list):
        return [trimmed(item, command) for item in answer]
    if not isinstance(answer, dict):
        return answer
    left = {"llmperf_version"} | ({"scenario"} if command != "estimate" else set())
    return {key: trimmed(value, command) for key, value in answer.items() if key not in left}


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    """An empty working directory."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def main() -> None:
    """Write the answers of all scenarios, and what is predicted for all claims."""
    ANSWERS.mkdir(exist_ok=True)
    for name in SCENARIOS:
        (ANSWERS / f"{name}.json").write_text(json.dumps(answers(name), indent=0) + "\n")
    CLAIMS.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in claims().items()) + "\n}\n")


if __name__ == "__main__":
    main()
