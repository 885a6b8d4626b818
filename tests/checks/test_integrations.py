"""What runs checks elsewhere: the hook of pre-commit, the GitHub Action, the template for GitLab."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest
import xmlschema
import yaml

from llmperf import checks as interfaces
from llmperf.checks import limits as check_files
from llmperf.checks import lock

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parents[1] / "data/schemas"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
GITLAB = yaml.safe_load((ROOT / "ci/llmperf-check.gitlab-ci.yml").read_text("utf-8"))
PROGRAM = "import sys\nfrom llmperf.interfaces.cli import main\nsys.argv[0] = 'llmperf'\nmain()"
BASE = "{model: llama-3.1-8b, hardware: h100-sxm, batch: 8}\n"
CHECKS = """\
extends: base.yaml
checks:
- {name: fits, tags: [memory], expect: {fits: true}}
- name: fast
  expect:
    ttft_s: {max: 1 us}
"""
HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    "; touch owned",
    "' ; touch owned #",
    '" ; touch owned #',
    "--update",
    "*",
]


def environment(**more: str) -> dict[str, str]:
    """An environment in which git knows a user, and nothing of the repository that the tests are in."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GITHUB_", "CI_"))}
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **more}


def done(*command: str | Path, cwd: Path, **more: str) -> CompletedProcess[str]:
    call = [str(part) for part in command]
    return subprocess.run(
        call, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=300, check=False
    )


def git(folder: Path, *arguments: str | Path) -> str:
    found = done("git", *arguments, cwd=folder)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with one check that holds and one that does not."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE)
    (folder / "sizing.llmperf.yaml").write_text(CHECKS)
    (folder / "notes.txt").write_text("nothing\n")
    committed(folder)
    return folder


def committed(folder: Path) -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main", ".")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--no-verify", "--message=all")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A search path with an ``llmperf`` of this checkout."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "llmperf"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}\n")
    program.chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


# --- pre-commit ------------------------------------------------------------------------------------------------------


def test_the_hook_is_what_pre_commit_asks_for() -> None:
    pytest.importorskip("pre_commit", reason="needs the extra: test")
    manifest = ROOT / ".pre-commit-hooks.yaml"
    found = done(sys.executable, "-m", "pre_commit", "validate-manifest", manifest, cwd=ROOT)
    assert found.returncode == 0, found.stdout


@pytest.mark.long
def test_pre_commit_installs_llmperf_and_refuses_what_breaks_a_limit(work: Path, tmp_path: Path) -> None:
    pytest.importorskip("pre_commit", reason="needs the extra: test")
    source = tmp_path / "llmperf"
    for name in ("llmperf", "hardware", "workloads"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, source)
    hook = {"repo": str(source), "rev": committed(source), "hooks": [{"id": "llmperf-check"}]}
    (work / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [hook]}))
    (work / "sizing.llmperf.yaml").write_text("extends: base.yaml\nexpect: {fits: true}\n")
    committed(work)

    def tool(*arguments: str) -> CompletedProcess[str]:
        return done(sys.executable, "-m", "pre_commit", *arguments, cwd=work, PRE_COMMIT_HOME=str(tmp_path / "home"))

    def commit(name: str, text: str) -> CompletedProcess[str]:
        (work / name).write_text(text)
        git(work, "add", name)
        return done("git", "commit", "--message=change", cwd=work, PRE_COMMIT_HOME=str(tmp_path / "home"))

    every = tool("run", "--all-files")
    assert every.returncode == 0, every.stdout + every.stderr
    assert tool("install").returncode == 0
    # the check file stays as it is: what it extends breaks the limit
    refused = commit("base.yaml", BASE.replace("batch: 8", "batch: 4000"))
    assert refused.returncode == 1
    assert "sizing" in refused.stdout + refused.stderr
    assert "fits" in refused.stdout + refused.stderr
    assert commit("base.yaml", BASE.replace("batch: 8", "batch: 9")).returncode == 0
    skipped = commit("notes.txt", "something\n")
    assert skipped.returncode == 0
    assert "Skipped" in skipped.stdout + skipped.stderr


# --- GitHub ----------------------------------------------------------------------------------------------------------


def action(folder: Path, inputs: dict[str, str], **more: str) -> tuple[CompletedProcess[str], dict[str, str]]:
    """The step of the action as the runner does it: expressions filled into `env` alone, then bash; and its outputs."""
    given = {name: inputs.get(name, about["default"]) for name, about in ACTION["inputs"].items()}
    (step,) = (one for one in ACTION["runs"]["steps"] if "run" in one)
    values = {f"inputs.{name}": value for name, value in given.items()}
    env = {
        key: re.sub(r"\$\{\{ (\S+) \}\}", lambda match: values.get(match[1], ""), text)
        for key, text in step["env"].items()
    }
    place = folder.parent / "runner"
    place.mkdir(exist_ok=True)
    script = place / "step.sh"
    script.write_text(step["run"])
    for name in ("output", "summary"):
        (place / name).write_text("")
    runner = {
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
        "GITHUB_EVENT_NAME": "push",
        "RUNNER_TEMP": str(place),
    }
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    found = done(*bash, cwd=folder, **{**env, **runner, **more})
    written = (place / "output").read_text().splitlines()
    return found, dict(line.split("=", 1) for line in written)


def test_the_action_has_the_keys_of_a_composite_action_and_no_input_in_a_script() -> None:
    assert set(ACTION) <= {"name", "author", "description", "inputs", "outputs", "runs", "branding"}
    assert ACTION["runs"]["using"] == "composite"
    for about in ACTION["inputs"].values():
        assert set(about) <= {"description", "required", "default", "deprecationMessage"}
        assert isinstance(about["default"], str)
    for step in ACTION["runs"]["steps"]:
        assert set(step) <= {"id", "name", "if", "uses", "with", "run", "shell", "env", "working-directory"}
        assert ("run" in step) != ("uses" in step)
        assert "${{" not in step.get("run", "")
        assert "shell" in step or "uses" in step
    names = {step["id"] for step in ACTION["runs"]["steps"]}
    for about in ACTION["outputs"].values():
        (named,) = re.findall(r"\$\{\{ steps\.([\w-]+)\.outputs\.[\w-]+ \}\}", about["value"])
        assert named in names


def test_the_action_annotates_summarizes_and_says_what_came_out(work: Path, programs: str) -> None:
    found, outputs = action(work, {"version": "installed", "formats": "junit:report.xml\ngitlab:q.json"}, PATH=programs)
    assert found.returncode == 1, found.stderr
    assert "::error file=sizing.llmperf.yaml,line=6," in found.stdout
    assert (work.parent / "runner/summary").read_text().startswith("## llmperf check: 1 passed, 1 failed")
    assert (outputs["exit-code"], outputs["passed"], outputs["failed"]) == ("1", "1", "1")
    assert set(outputs) == set(ACTION["outputs"])
    assert json.loads(Path(outputs["json"]).read_text())["exit_code"] == 1
    sarif = jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text("utf-8")))
    sarif.validate(json.loads(Path(outputs["sarif"]).read_text()))
    assert (work / "report.xml").exists()
    assert (work / "q.json").exists()


def test_the_action_selects_paths_and_tags(work: Path, programs: str) -> None:
    inputs = {"version": "installed", "paths": "sizing.llmperf.yaml\n\n  .\n", "tags": "memory\n"}
    found, outputs = action(work, inputs, PATH=programs)
    assert found.returncode == 0, found.stderr
    assert (outputs["passed"], outputs["failed"]) == ("1", "0")


@pytest.mark.parametrize("name", ["paths", "tags", "deployments"])
def test_no_line_of_an_input_of_the_action_is_a_command_or_an_option(name: str, work: Path, programs: str) -> None:
    found, outputs = action(work, {"version": "installed", name: "\n".join(HOSTILE)}, PATH=programs)
    assert found.returncode == 2
    assert outputs["exit-code"] == "2"
    assert all(text in " ".join((found.stdout + found.stderr).split()) for text in HOSTILE)
    untouched(work)


@pytest.mark.parametrize("text", HOSTILE[:1] + HOSTILE[-3:])
@pytest.mark.parametrize(("name", "code"), [("changed-since", 2), ("formats", 2), ("formats", 1)])
def test_no_input_of_the_action_is_a_command_or_an_option(
    name: str, code: int, text: str, work: Path, programs: str
) -> None:
    written = f"junit:{text}" if code == 1 else text  # such a file can be written
    found, outputs = action(work, {"version": "installed", name: written}, PATH=programs)
    assert (found.returncode, outputs["exit-code"]) == (code, str(code)), found.stdout + found.stderr
    untouched(work)


def untouched(work: Path) -> None:
    assert not list(work.parent.rglob("owned"))
    assert not list(work.rglob("llmperf.lock.yaml"))


@pytest.mark.parametrize(("version", "wanted"), [("0.1.0", "llmperf==0.1.0"), *zip(HOSTILE, HOSTILE, strict=True)])
def test_a_version_is_one_argument_of_pip(
    version: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("github_step", ROOT / "ci/github.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    calls: list[list[str]] = []

    def run(arguments: list[str], check: bool) -> CompletedProcess[str]:
        assert not check
        calls.append(arguments)
        return CompletedProcess(arguments, 1, "", "")

    monkeypatch.setattr(module.venv, "create", lambda *_, **__: None)
    monkeypatch.setattr(module.subprocess, "run", run)
    with pytest.raises(module.StepError, match="cannot be installed"):
        module.installed(version, tmp_path)
    assert calls[0][-2:] == ["--", wanted]


def test_a_base_branch_of_any_name_is_data(work: Path, programs: str) -> None:
    inputs = {"version": "installed", "changed-since": "auto"}
    for base in ("--upload-pack=touch owned", "$(touch owned)", "a b", "::add-mask::x"):
        found, outputs = action(work, inputs, PATH=programs, GITHUB_EVENT_NAME="pull_request", GITHUB_BASE_REF=base)
        assert (found.returncode, outputs["exit-code"]) == (2, "2")
        assert "::error title=llmperf check::the base of the pull request cannot be fetched" in found.stdout
        assert not list(work.parent.rglob("owned"))


def test_a_pull_request_checks_what_it_touches(work: Path, programs: str, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", work.as_uri(), clone)
    git(clone, "checkout", "--quiet", "-b", "change")
    git(clone, "update-ref", "-d", "refs/remotes/origin/main")  # as actions/checkout leaves a pull request
    (clone / "notes.txt").write_text("something\n")
    committed(clone)
    inputs = {"version": "installed", "changed-since": "auto"}
    event = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_BASE_REF": "main", "PATH": programs}
    found, outputs = action(clone, inputs, **event)
    assert (found.returncode, outputs["passed"], outputs["failed"]) == (0, "0", "0"), found.stderr
    (clone / "base.yaml").write_text(BASE.replace("8}", "9}"))
    committed(clone)
    found, outputs = action(clone, inputs, **event)
    assert (found.returncode, outputs["passed"], outputs["failed"]) == (1, "1", "1"), found.stderr
    # in other events all checks run
    found, outputs = action(work, inputs, PATH=programs)
    assert outputs["failed"] == "1"


@pytest.mark.long
def test_the_action_installs_the_llmperf_that_it_belongs_to(work: Path) -> None:
    found, outputs = action(work, {"tags": "memory"})
    assert (found.returncode, outputs["passed"]) == (0, "1"), found.stdout + found.stderr
    (program,) = (work.parent / "runner").glob("llmperf-*/venv/*/llmperf")
    assert done(program, "--version", cwd=work).returncode == 0


# --- GitLab ----------------------------------------------------------------------------------------------------------


def job(folder: Path, **variables: str) -> CompletedProcess[str]:
    """The script of the job, as the runner does it in a shell of its own."""
    about = GITLAB["llmperf-check"]
    script = folder.parent / "job.sh"
    script.write_text("set -e\n" + "\n".join(about["script"]))
    return done("sh", script, cwd=folder, **{**about["variables"], "CI_PROJECT_DIR": str(folder), **variables})


def test_the_job_of_gitlab_has_the_keys_of_a_job_and_keeps_its_reports(work: Path, programs: str) -> None:
    about = GITLAB["llmperf-check"]
    keys = {"stage", "image", "variables", "cache", "before_script", "script", "artifacts"}
    assert set(about) == keys
    found = job(work, PATH=programs)
    assert found.returncode == 1, found.stderr
    reports = about["artifacts"]["reports"]
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(str(work / reports["junit"]))
    (finding,) = json.loads((work / reports["codequality"]).read_text())
    assert finding["location"] == {"path": "sizing.llmperf.yaml", "lines": {"begin": 6}}
    assert about["artifacts"]["when"] == "always"


def test_the_job_of_gitlab_selects(work: Path, programs: str) -> None:
    chosen = {"LLMPERF_TAGS": "memory\n", "LLMPERF_PATHS": "sizing.llmperf.yaml\n."}
    assert job(work, PATH=programs, **chosen).returncode == 0
    base = git(work, "rev-parse", "HEAD")
    merge = {"LLMPERF_CHANGED_SINCE": "auto", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    assert job(work, PATH=programs, **merge).returncode == 0  # nothing has changed
    assert job(work, PATH=programs, LLMPERF_CHANGED_SINCE="auto").returncode == 1  # no merge request: all run


def test_deployments_are_checked_and_strictly_so(work: Path, programs: str) -> None:
    (work / "run.sh").write_text("vllm serve llama-3.1-8b --tensor-parallel-size $TP\n")
    inputs = {"version": "installed", "deployments": "run.sh\n", "hardware": "h100-sxm", "model": "qwen3-8b"}
    found, outputs = action(work, inputs, PATH=programs)
    assert (found.returncode, outputs["failed"]) == (1, "1"), found.stderr
    assert "::error file=run.sh,line=1," in found.stdout
    found, outputs = action(work, {**inputs, "strict": "false"}, PATH=programs)
    assert (found.returncode, outputs["passed"]) == (0, "1"), found.stdout
    variables = {"LLMPERF_DEPLOYMENTS": "run.sh", "LLMPERF_STRICT": "false", "LLMPERF_HARDWARE": "h100-sxm"}
    assert job(work, PATH=programs, **variables).returncode == 2  # the file says no hardware
    (work / "run.yaml").write_text("{deployment: run.sh, hardware: h100-sxm, expect: {fits: true}}\n")
    assert job(work, PATH=programs, LLMPERF_PATHS="run.yaml").returncode == 1
    assert job(work, PATH=programs, LLMPERF_PATHS="run.yaml", LLMPERF_STRICT="false").returncode == 0


@pytest.mark.parametrize("name", ["LLMPERF_PATHS", "LLMPERF_DEPLOYMENTS", "LLMPERF_TAGS", "LLMPERF_CHANGED_SINCE"])
def test_no_variable_of_gitlab_is_a_command_or_an_option(name: str, work: Path, programs: str) -> None:
    texts = HOSTILE[:1] + HOSTILE[-3:] if name == "LLMPERF_CHANGED_SINCE" else ["\n".join(HOSTILE)]
    for text in texts:
        assert job(work, PATH=programs, **{name: text}).returncode == 2, text
    untouched(work)


# --- The documentation -----------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs/how-to/gate-ci.md").read_text("utf-8")
FILES = dict(re.findall(r'(?ms)^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE))


def test_what_the_documentation_tells_pytest_holds(tmp_path: Path) -> None:
    for name in ("sizing/chat.llmperf.yaml", "sizing/test_sizing.py", "pyproject.toml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(FILES[name])
    (tmp_path / "descriptors").mkdir()
    plugin = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", "pytest", "-p", "llmperf.interfaces.pytest_plugin"]
    found = done(*call, cwd=tmp_path, **plugin)
    assert "4 passed" in found.stdout, found.stdout + found.stderr


def test_the_documentation_names_hooks_inputs_and_variables_that_exist() -> None:
    (repository,) = yaml.safe_load(FILES[".pre-commit-config.yaml"])["repos"]
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert {hook["id"] for hook in repository["hooks"]} == hooks
    steps = yaml.safe_load(FILES[".github/workflows/sizing.yml"])["jobs"]["check"]["steps"]
    (step,) = (one for one in steps if "llmperf" in one["uses"])
    assert set(step["with"]) <= set(ACTION["inputs"])
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in PAGE, name
    job = yaml.safe_load(FILES[".gitlab-ci.yml"])["llmperf-check"]
    assert set(job["variables"]) <= set(GITLAB["llmperf-check"]["variables"])


def test_the_versions_that_the_documentation_names_are_those_of_the_code() -> None:
    page = (ROOT / "docs/checks.md").read_text("utf-8")
    versions = (check_files.SCHEMA_VERSION, interfaces.SCHEMA_VERSION, lock.SCHEMA_VERSION)
    said = re.findall(r"schema_version\"?: (\d+)", page.partition("| | version |")[2])
    assert [int(one) for one in said] == list(versions)


# --- Shells ----------------------------------------------------------------------------------------------------------


def scripts() -> dict[str, tuple[str, str]]:
    """Every shell script of the integrations, and its shell."""
    steps = [one["run"] for one in ACTION["runs"]["steps"] if "run" in one]
    about: Any = GITLAB["llmperf-check"]
    lines = "\n".join((*about["before_script"], *about["script"]))
    return {"action": ("bash", "\n".join(steps)), "gitlab": ("sh", lines)}


@pytest.mark.parametrize("name", list(scripts()))
def test_shellcheck_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    program = shutil.which("shellcheck", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip("no shellcheck")
    shell, text = scripts()[name]
    file = tmp_path / "script"
    file.write_text(text + "\n")
    found = done(program, f"--shell={shell}", file, cwd=tmp_path)
    assert found.returncode == 0, found.stdout
