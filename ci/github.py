"""The step of the GitHub Action: installs llmperf apart from the job's own Python, checks, and says what came out.

The inputs come as environment variables (see action.yml) and go on as arguments of programs: no shell reads them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

WRONG = 2
VERSION = re.compile(r"\d+(\.\d+)*[\w.+!-]*")


class StepError(Exception):
    """The checks cannot be run."""


def lines(name: str) -> list[str]:
    """The values of an input, one a line."""
    return [line.strip() for line in os.environ.get(name, "").splitlines() if line.strip()]


def main() -> int:
    """Run the checks; their exit code is that of the step."""
    folder = Path(tempfile.mkdtemp(prefix="llmperf-", dir=os.environ.get("RUNNER_TEMP")))
    reports = {name: folder / f"checks.{name}" for name in ("json", "sarif")}
    try:
        command = [installed(os.environ.get("LLMPERF_VERSION", "").strip(), folder), "check", *arguments(reports)]
        code = subprocess.run(command, check=False).returncode
        if not reports["json"].exists():
            raise StepError("no check was run; the log says why")
    except StepError as error:
        said = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::error title=llmperf check::{said}", flush=True)
        code, counts = WRONG, {}
    else:
        counts = json.loads(reports["json"].read_text("utf-8"))["summary"]
    files = {name: str(file) for name, file in reports.items() if file.exists()}
    write({"exit-code": code, **counts, **files})
    return code


def installed(version: str, folder: Path) -> str:
    """The command line of the llmperf that is asked for."""
    if version == "installed":
        found = shutil.which("llmperf")
        if found is None:
            raise StepError("version is 'installed', but the job has no llmperf on its path")
        return found
    wanted = version or str(Path(__file__).resolve().parents[1])
    home = folder / "venv"
    venv.create(home, with_pip=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--"]
    requirement = f"llmperf=={version}" if VERSION.fullmatch(version) else wanted
    if subprocess.run([*pip, requirement], check=False).returncode:
        raise StepError("llmperf cannot be installed; the log says why")
    return str(programs / "llmperf")


def arguments(reports: dict[str, Path]) -> list[str]:
    """Of ``llmperf check``; what a user names can be no option: it stands behind ``=`` or ``--``."""
    formats = ["text", "github", *(f"{name}:{file}" for name, file in reports.items())]
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        formats.append(f"markdown:{summary}")
    options = [f"--format={one}" for one in (*formats, *lines("LLMPERF_FORMATS"))]
    options += [f"--tag={tag}" for tag in lines("LLMPERF_TAGS")]
    deployments = lines("LLMPERF_DEPLOYMENTS")
    options += [f"--from={file}" for file in deployments]
    options += [f"--{name}={text}" for name in ("hardware", "model") for text in lines(f"LLMPERF_{name.upper()}")[:1]]
    if os.environ.get("LLMPERF_STRICT", "").strip().lower() != "false":
        options.append("--strict")
    if reference := changed_since():
        options.append(f"--changed-since={reference}")
    return [*options, "--", *(lines("LLMPERF_PATHS") or ([] if deployments else ["."]))]


def changed_since() -> str:
    """The commit that checks are selected by; the base of a pull request is fetched where the checkout lacks it."""
    wanted = os.environ.get("LLMPERF_CHANGED_SINCE", "").strip()
    if wanted != "auto":
        return wanted
    base = os.environ.get("GITHUB_BASE_REF", "")
    if os.environ.get("GITHUB_EVENT_NAME") != "pull_request" or not base:
        return ""  # of pull_request_target the checkout is the base itself: nothing would have changed
    reference = f"refs/remotes/origin/{base}"
    known = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}"]
    if subprocess.run(known, check=False, stdout=subprocess.DEVNULL).returncode == 0:
        return reference
    fetch = ["git", "fetch", "--quiet", "--no-tags", "--depth=1", "origin", f"+refs/heads/{base}:{reference}"]
    if subprocess.run(fetch, check=False).returncode:
        raise StepError("the base of the pull request cannot be fetched; the log says why")
    return reference


def write(outputs: dict[str, object]) -> None:
    """The outputs of the step: numbers, and files of this script's own naming."""
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in outputs.items())


if __name__ == "__main__":
    sys.exit(main())
