"""Shell scripts as data: variables, loops and branches; nothing of them is run."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.helping import DATA, kinds, served, written
from llmperf.deployments import read
from llmperf.deployments.shell import parse
from llmperf.errors import InputError


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


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${A##*/} ${A#*/} ${A%.*} ${A%%.*}", ["c.tar.gz", "a/b/c.tar.gz", "/a/b/c.tar", "/a/b/c"]),
        ("${A/b/X} ${A^^} ${A:1:3} ${#A}", ["/a/X/c.tar.gz", "/A/B/C.TAR.GZ", "a/b", "13"]),
        ("${B-} ${B:-} ''", [""]),
        ('${B:+y} "${A:+y z}" ${B:-"q r"}x', ["y z", "q", "rx"]),
        ("${B:=4} $B ${C:-${D:-$B}}", ["4", "4", "4"]),
        ("$((1 + 2 * (B = 0 ? 3 : 4)))", ["$((1 + 2 * (B = 0 ? 3 : 4)))"]),
        ("$((7 / 2 - -N)) $((-7 % 3))", ["7", "-1"]),
        ("'$A' \"\\$A\" $'a\\tb' \\$A", ["$A", "$A", "a\tb", "$A"]),
        ('"{\\"a\\": 1, \\"b\\": [2]}"', ['{"a": 1, "b": [2]}']),
        ('$L "$L" x$L', ["1", "2", "1 2", "x1", "2"]),
        ('"${E[@]}" ${E[1]} ${E}', ["p", "q r", "q", "r", "p"]),
        ("a#b c # d", ["a#b", "c"]),
        ("a\\\nb 2>&1 >log <in c", ["ab", "c"]),
    ],
)
def test_words_are_those_that_a_shell_makes(written: str, words: list[str]) -> None:
    known = {"A": "/a/b/c.tar.gz", "N": "4", "L": "1 2"}
    script = parse(f"E=(p 'q r')\nrun {written}\n", "a.sh", known=known)
    assert [word.text for word in script.commands[0].words[1:]] == words


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to ask")
@given(
    words=st.lists(
        st.sampled_from(
            [
                "$A",
                '"$A"',
                "'$A'",
                "${B:-x y}",
                '"${B:-x y}"',
                "${A%.*}",
                "$((3*N))",
                "a\\ b",
                '"\\"{$N}\\""',
                "$'q\\n'",
                "${N}k",
                "pre$L",
                "$L$L",
                '"$L"post',
                "\\\n",
                "${L:+z}",
                "${A##*/}",
                "''",
                "${A#/m}",
                "x#y",
                "${L: -1}",
            ]
        ),
        max_size=6,
    ),
    glue=st.sampled_from(['""', " ", "  \\\n "]),
)
@settings(max_examples=40, deadline=None)
def test_words_are_those_that_bash_makes(words: list[str], glue: str) -> None:
    text = f"printf '%s\\0' {glue.join(words)}"
    known = {"A": "/m/a.b.c", "N": "4", "L": " 1  2 "}
    told = subprocess.run(["bash", "-c", text], env=known, capture_output=True, check=True, text=True).stdout
    found = [word.text for word in parse(text, "a.sh", known=known).commands[0].words[2:]]
    assert "".join(f"{word}\0" for word in found or [""]) == told


def test_scripts_that_commands_call_are_read(tmp_path: Path) -> None:
    written(tmp_path, "run.sh", 'vllm serve "$1" -tp "${2:-1}"\n')
    text = """
        srun -N 1 bash -c 'exec vllm serve qwen3-8b -tp $TP'
        bash run.sh qwen3-14b 4
        ./run.sh qwen3-32b
        bash -s <<EOF
        vllm serve qwen3-4b
        EOF
        ssh host "vllm serve qwen3-1.7b"
        cat <<'EOF' | ssh host bash
        vllm serve qwen3-0.6b --max-num-seqs 3
        EOF
    """
    found = read(written(tmp_path, "all.sh", f"TP=2\n{textwrap.dedent(text)}"))
    models = [one.scenario["model"] for one in found]
    assert models == ["qwen3-8b", "qwen3-14b", "qwen3-32b", "qwen3-4b", "qwen3-1.7b", "qwen3-0.6b"]
    assert [one.scenario.get("parallelism", {}).get("tp") for one in found[:3]] == [2, 4, 1]
    assert str(tmp_path / "run.sh") in found[0].files


def test_a_script_that_calls_itself_ends(tmp_path: Path) -> None:
    written(tmp_path, "b.sh", "bash b.sh; vllm serve qwen3-8b\n")
    assert read(written(tmp_path, "a.sh", "bash b.sh\n"))


def test_a_command_that_ended_too_early_says_which_flags_are_lost(tmp_path: Path) -> None:
    for lost in ("  # why\n", "  \\ \n", "\n\n"):
        (one,) = read(written(tmp_path, "run.sh", f"vllm serve qwen3-8b{lost}  --max-num-seqs 3 \\\n  -tp 2\n"))
        assert one.scenario["engine"] == "vllm"
        assert {kinds(one)[name] for name in ("--max-num-seqs", "-tp")} == {"not_understood"}


@pytest.mark.parametrize(
    "text",
    [
        "A=x\n" + "A=$A$A$A$A\n" * 40 + "vllm serve $A\n",
        "A=(" + "x " * 900 + ")\n" + "A+=(${A[@]})\n" * 50 + "vllm serve ${A[@]}\n",
        'vllm serve "' + "${A:-" * 3000 + "}" * 3000 + '"\n',
        "A=" + "a" * 300 + "\nvllm serve " + "${A%%*ab} " * 18000,
        "cat <<A\n" * 3000 + "A\n" * 3000 + "vllm serve qwen3-8b\n",
        "vllm serve m" + ">a " * 50000,
        "vllm serve $((" + "9**" * 60 + "9))\n",
    ],
    ids=range(7),
)
def test_hostile_scripts_end_soon(text: str, tmp_path: Path) -> None:
    before = time.process_time()
    with contextlib.suppress(InputError):
        read(written(tmp_path, "run.sh", text))
    assert time.process_time() - before < 4.0


def test_arguments_of_a_function_are_those_of_its_call(tmp_path: Path) -> None:
    text = """
        launch() {
          echo "$1"
          vllm serve qwen3-8b "$@"
        }
        cat > c.yaml <<EOF
        max-num-seqs: 3
        EOF
        launch -tp 2 --config c.yaml
    """
    (one,) = read(written(tmp_path, "run.sh", text))
    assert one.scenario["parallelism"] == {"tp": 2}
    assert one.scenario["engine"]["max_sequences"] == 3
    (one,) = read(written(tmp_path, "run.sh", 'vllm serve qwen3-8b "$@"\n'))
    assert kinds(one)["$@"] == "not_understood"


def test_what_a_branch_sets_is_said(tmp_path: Path) -> None:
    text = """
        A=(--port 1)
        if [ -n "$X" ]; then A+=(-tp 2); N=4; fi
        M=qwen3-8b
        vllm serve $M "${A[@]}"
        N=5
        vllm serve $M --max-num-seqs $N
    """
    first, second = read(written(tmp_path, "run.sh", text))
    assert first.scenario["parallelism"] == {"tp": 2}
    assert kinds(first)["$A"] == "assumed"
    assert "$M" not in kinds(first)
    assert "$N" not in kinds(second)


def test_every_call_of_a_function_is_its_body_with_its_arguments(tmp_path: Path) -> None:
    text = """
        function start {
          local model=$1 tp="${2:-4}"
          shift 2
          if [ -n "$model" ]; then vllm serve $model --tensor-parallel-size "$tp" "$@"; fi
        }
        main() {
          start Qwen/Qwen3-8B 2 --max-model-len 8192
          start Qwen/Qwen3-4B
        }
        unused() { vllm serve qwen3-14b; }
        again() { again; }
        main "$@"
        again
    """
    third, first, second = read(written(tmp_path, "run.sh", text))
    assert first.scenario["model"] == {"extends": "qwen3-8b", "max_context": 8192}
    assert first.scenario["parallelism"] == {"tp": 2}
    assert (second.scenario["model"], second.scenario["parallelism"]) == ("qwen3-4b", {"tp": 4})
    assert third.scenario["model"] == "qwen3-14b"  # it may be called from elsewhere


@pytest.mark.parametrize(
    "text",
    [
        "f() { " + 'a "$@";' * 2000 + " }\nf " + "x " * 5000 + "\n",
        "".join(f"f{i}() {{ " + f"f{i + 1}; " * 30 + "}\n" for i in range(9)) + "f9() { vllm serve m; }\nf0\n",
        "f() { f; f; }\n" * 50 + "f\n",
    ],
)
def test_functions_that_grow_beyond_measure_take_no_time(text: str, tmp_path: Path) -> None:
    before = time.process_time()
    with contextlib.suppress(InputError):
        read(written(tmp_path, "run.sh", text))
    assert time.process_time() - before < 4.0


def test_descriptions_that_a_script_hands_to_a_cluster_are_read(tmp_path: Path) -> None:
    pod = (
        'kind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: e, image: "vllm/vllm-openai:v0.10.0", '
        'args: [--model, Qwen/Qwen3-8B, --tensor-parallel-size, "${{TP}}", --max-num-seqs, "${{SEQS}}"]}}]}}\n'
    )
    text = f"export TP=2\nkubectl apply -n x -f - <<EOF\n{pod.format(name='a')}EOF\n"
    text += f"cat <<EOF | kubectl create -f -\n{pod.format(name='b')}EOF\n"
    text += f"cat > c.yaml <<EOF\n{pod.format(name='c')}EOF\nkubectl apply -f c.yaml\n"
    text += "kubectl apply -f - <<EOF\na: [\nEOF\n"
    found = read(written(tmp_path, "run.sh", text))
    assert [one.name for one in found] == ["a", "b", "c"]
    for one in found:
        assert one.scenario["parallelism"] == {"tp": 2}
        assert kinds(one)["--max-num-seqs"] == "not_understood"
        assert "was not read" in next(each.message for each in one.findings if each.name == "document")
    lines = [next(each.line for each in one.findings if each.name == "--model") for one in found[:2]]
    assert lines == [5, 10]


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ('[ -n "$1" ] && MODEL=$1', "qwen3-8b"),
        ("[[ -z $1 ]] || MODEL=$1", "qwen3-8b"),
        ("test $# -gt 0 && MODEL=$1", "qwen3-8b"),
        ('[ -n "${1:-}" ] && MODEL=$1 || MODEL=qwen3-32b', "qwen3-32b"),
        ('[ "$MODEL" = qwen3-8b ] && MODEL=qwen3-14b', "qwen3-14b"),
        ('[ ! "$MODEL" = qwen3-8b ] && MODEL=qwen3-14b', "qwen3-8b"),
        ("[ -z $1 ] || MODEL=$1 && MODEL=qwen3-4b", "qwen3-4b"),
        ('[ -n "$ELSEWHERE" ] && MODEL=qwen3-14b', "qwen3-14b"),  # nobody knows: it is taken to run
    ],
)
def test_a_test_that_the_script_decides_decides_what_runs(line: str, model: str, tmp_path: Path) -> None:
    text = f"MODEL=qwen3-8b\n{line}\nvllm serve $MODEL\n"
    assert read(written(tmp_path, "run.sh", text))[0].scenario["model"] == model


@pytest.mark.parametrize(
    ("asked", "hardware", "tp"),
    [
        ("--gpus-per-node=h100:8", "h100-sxm", 8),
        ("--gpus-per-node h200:4", "h200-sxm", 4),
        ("--gres=gpu:a100:4", "a100-sxm-80gb", 4),
        ("--gres=shm:8,gpu:2", None, 2),
        ("--exclusive --nodes=2 --gpus=h100:16", "h100-sxm", 8),
        ("-N 1 -G 3", None, 3),
    ],
)
def test_a_batch_script_says_its_hardware(asked: str, hardware: str | None, tp: int, tmp_path: Path) -> None:
    text = f"#!/bin/bash\n#SBATCH {asked}\nvllm serve qwen3-8b --tensor-parallel-size $SLURM_GPUS_ON_NODE\n"
    (one,) = read(written(tmp_path, "job.slurm", text))
    assert one.scenario.get("hardware") == hardware
    assert one.scenario["parallelism"]["tp"] == tp
    (one,) = read(written(tmp_path, "job.slurm", text), hardware="l40s")
    assert one.scenario["hardware"] == "l40s"
    late = read(written(tmp_path, "late.sh", f"set -e\n#SBATCH {asked}\nvllm serve qwen3-8b\n"))[0]
    assert "hardware" not in late.scenario
