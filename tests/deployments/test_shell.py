"""Shell scripts as data: variables, loops and branches; nothing of them is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.helping import DATA, kinds, served, written
from llmperf.deployments import read


def test_a_command_that_starts_a_part_of_a_server_is_no_deployment_of_its_own() -> None:
    assert len(read(DATA / "sglang.sh")) == 1


def test_variables_are_those_of_the_file(tmp_path: Path) -> None:
    one = served(tmp_path, "--tensor-parallel-size $TP --max-num-seqs $(nproc) --block-size ${B:-8} --seed `date`")
    assert one.scenario["engine"] == {"extends": "vllm", "kv_block": 8}
    found = {finding.name: finding for finding in one.findings}
    assert found["--tensor-parallel-size"].kind == found["--max-num-seqs"].kind == "not_understood"
    assert "$TP" in found["--tensor-parallel-size"].message


def test_nothing_of_a_script_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = written(tmp_path, "a.sh", f"X=$(touch {marker}); touch {marker}; vllm serve `touch {marker}` --port 1\n")
    read(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "form", ["{script}", "bash -c '{script}'", "kind: Pod\nspec: {{containers: [{{image: a, {c}}}]}}\n"]
)
def test_a_loop_may_start_several_servers_and_says_so(form: str, tmp_path: Path) -> None:
    script = "for i in 0 1 2 3; do vllm serve m --port 800$i & done; vllm serve n"
    text = form.format(script=script, c=f'command: [sh, -c, "{script}"]')
    found = read(written(tmp_path, "run.yaml" if "kind" in form else "run.sh", text))
    assert kinds(found[0])["for"] == "not_understood"
    assert "--replicas" in next(one.message for one in found[0].findings if one.name == "for")
    assert all("for" not in kinds(one) for one in found[1:])


def test_every_branch_of_a_condition_is_a_deployment_and_says_so(tmp_path: Path) -> None:
    text = """
        if [ "$BIG" = 1 ]; then
          vllm serve llama-3.1-70b --tensor-parallel-size 4
        else
          vllm serve llama-3.1-8b
        fi
        case $A in
          x) vllm serve mistral-7b-v0.3 ;;
        esac
        while true; do if true; then vllm serve qwen3-32b; fi; done
        vllm serve llama-3.2-1b
    """
    found = read(written(tmp_path, "run.sh", text))
    words = [[one.name for one in each.findings if one.name in ("if", "case", "while")] for each in found]
    assert words == [["if"], ["if"], ["case"], ["while", "if"], []]
    assert [kinds(found[0])["if"], kinds(found[3])["while"]] == ["assumed", "not_understood"]


def test_what_stands_before_a_command_is_no_part_of_it(tmp_path: Path) -> None:
    text = "if true; then TP=2 docker run vllm/vllm-openai --model m; else ! time vllm serve n; fi\n"
    assert len(read(written(tmp_path, "run.sh", text))) == 2
