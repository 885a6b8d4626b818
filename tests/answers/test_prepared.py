"""A prepared scenario gives what an estimate gives, and refuses what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.answers import repeated
from llmperf.answers.repeated import OFTEN
from llmperf.errors import InputError

PLAIN = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
SCENARIOS: dict[str, dict[str, Any]] = {
    "dense": PLAIN,
    "experts": {"model": "mixtral-8x7b", "hardware": "h100-sxm", "tp": 4, "weights": "fp8"},
    "method": {"model": "llama-2-7b", "hardware": "a100-sxm-80gb", "kv_cache": "h2o-20"},
    "priced": {**PLAIN, "rent": 2.1, "engine": "vllm"},
}
PREPARED = {name: llmperf.prepare(scenario) for name, scenario in SCENARIOS.items()}


def assert_same(found: llmperf.Estimate, expected: llmperf.Estimate) -> None:
    one, other = found.to_dict(), expected.to_dict()
    assert _leaves(one).keys() == _leaves(other).keys()
    for path, value in _leaves(other).items():
        if isinstance(value, float):
            assert _leaves(one)[path] == pytest.approx(value, rel=1e-12, abs=0.0), path
        else:
            assert _leaves(one)[path] == value, path


def _leaves(data: Any, path: str = "") -> dict[str, Any]:
    if isinstance(data, dict):
        return {key: value for name, inner in data.items() for key, value in _leaves(inner, f"{path}.{name}").items()}
    if isinstance(data, list):
        return {
            key: value for place, inner in enumerate(data) for key, value in _leaves(inner, f"{path}.{place}").items()
        }
    return {path: data}


@settings(max_examples=25)
@given(st.sampled_from([*SCENARIOS]), st.integers(1, 500), st.integers(1, 3000), st.integers(1, 1000))
def test_a_prepared_call_is_the_estimate(name: str, batch: int, input_: int, output: int) -> None:
    numbers = {"batch": batch, "input": input_, "output": output}
    assert_same(PREPARED[name](**numbers), llmperf.estimate(SCENARIOS[name], **numbers))


def test_a_layout_is_a_number_like_others() -> None:
    for tp in (1, 2, 4, 8):
        assert_same(PREPARED["dense"](tp=tp, batch=8), llmperf.estimate(PLAIN, tp=tp, batch=8))


def test_layouts_that_decide_otherwise_have_recordings_of_their_own() -> None:
    prepared = llmperf.prepare(PLAIN)
    for tp in (1, 2, 4, 8, 1):
        prepared(tp=tp, batch=8)
    loop = prepared._loops["tp", "batch"]
    assert loop is not None
    assert len(loop.recording.programs) == 2  # with and without collectives


def test_arrays_and_other_keys_take_the_long_way() -> None:
    batch = np.arange(1, 50)
    np.testing.assert_array_equal(PREPARED["dense"](batch=batch).tpot_s, llmperf.estimate(PLAIN, batch=batch).tpot_s)
    assert_same(PREPARED["dense"](weights="fp8", batch=3), llmperf.estimate(PLAIN, weights="fp8", batch=3))
    clock = {"hardware.clock": 1e9}
    assert_same(PREPARED["dense"](**clock), llmperf.estimate(PLAIN, **clock))
    assert_same(PREPARED["dense"](), llmperf.estimate(PLAIN))


WRONG: dict[str, dict[str, Any]] = {
    "no sequence": {"batch": 0},
    "half a token": {"input": 10.5},
    "a word": {"output": "many"},
    "too long": {"input": 200_000},
    "too wide": {"tp": 64},
    "no such key": {"bacth": 3},
    "devices that do not add up": {"tp": 2, "devices": 3},
    "a prefix as long as the prompt": {"input": 100, "shared_prefix": 100},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_as_by_the_estimate(name: str) -> None:
    PREPARED["dense"](**{key: 1 for key in WRONG[name] if key in ("batch", "input", "output", "tp")} or {"batch": 1})
    with pytest.raises(InputError) as expected:
        llmperf.estimate(PLAIN, **WRONG[name])
    with pytest.raises(InputError) as found:
        PREPARED["dense"](**WRONG[name])
    assert str(found.value) == str(expected.value)


def test_a_short_model_shortens_its_input_in_prepared_calls_too() -> None:
    base = {"model": "gpt2", "hardware": "h100-sxm"}
    prepared = llmperf.prepare(base)
    for output in (8, 500, 900, 1000):
        found = prepared(output=output)
        assert found.scenario.workload.input == llmperf.estimate(base, output=output).scenario.workload.input
        assert found.ttft_s == pytest.approx(llmperf.estimate(base, output=output).ttft_s, rel=1e-12)


def test_a_wrong_scenario_is_refused_when_it_is_prepared() -> None:
    with pytest.raises(InputError, match="unknown"):
        llmperf.prepare(model="llama-3.1-8b", hardware="h100-sxm", bacth=3)


def test_what_is_maximized_is_maximized_in_each_call() -> None:
    prepared = llmperf.prepare(PLAIN, maximize="batch")
    assert prepared(input=4000).scenario.workload.batch < prepared(input=1000).scenario.workload.batch


def test_an_answer_knows_what_was_asked_and_goes_to_other_processes() -> None:
    found = PREPARED["dense"](batch=3, input=77)
    assert (found.scenario.workload.batch, found.scenario.workload.input) == (3, 77)
    other = pickle.loads(pickle.dumps(found))
    assert other.tpot_s == found.tpot_s
    assert other.scenario.workload.input == 77
    assert str(found.explain()) == str(llmperf.estimate(PLAIN, batch=3, input=77).explain())


@pytest.fixture
def uncounted() -> Iterator[None]:
    repeated._counts.clear()
    yield
    repeated._counts.clear()


@pytest.mark.usefixtures("uncounted")
def test_a_scenario_that_is_asked_often_is_prepared_by_itself() -> None:
    found = [llmperf.estimate(**PLAIN, batch=1 + index % 7, input=500) for index in range(OFTEN + 20)]
    assert repeated.again(llmperf.Estimate, None, {**PLAIN, "batch": 3, "input": 500}, ()) is not None
    for index, one in enumerate(found):
        assert one.e2e_s == pytest.approx(found[index % 7].e2e_s, rel=1e-12)
    assert_same(found[-1], found[(len(found) - 1) % 7])


@pytest.mark.usefixtures("uncounted")
def test_what_is_no_name_and_no_number_is_never_counted() -> None:
    for _ in range(3):
        llmperf.estimate(PLAIN, batch=np.array([1, 2]))
        llmperf.estimate({**PLAIN, "batch": 3})
    assert not repeated._counts or all(count <= 3 for count in repeated._counts.values())


@pytest.mark.usefixtures("uncounted")
def test_numbers_and_truth_values_are_told_apart() -> None:
    for _ in range(OFTEN + 5):
        llmperf.estimate(**PLAIN, batch=1, tp=1)
    with pytest.raises(InputError):
        llmperf.estimate(**PLAIN, batch=1, tp=True)
    with pytest.raises(InputError):
        llmperf.estimate(**PLAIN, batch=True, tp=1)


@pytest.mark.usefixtures("uncounted")
def test_a_file_that_changes_is_read_anew(tmp_path: Any) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("model: llama-3.1-8b\nhardware: h100-sxm\nworkload: {input: 100}\n")
    before = [llmperf.estimate(str(file), batch=2).ttft_s for _ in range(OFTEN + 5)]
    file.write_text("model: llama-3.1-8b\nhardware: h100-sxm\nworkload: {input: 7000}\n")
    assert llmperf.estimate(str(file), batch=2).ttft_s > 2.0 * before[-1]


def test_what_was_prepared_stays_what_it_was(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers read names and files when they are given, not when somebody looks at them."""
    chip = tmp_path / "chip.yaml"
    chip.write_text("extends: h100-sxm\n")
    monkeypatch.chdir(tmp_path)
    prepared = llmperf.prepare(model="llama-3.1-8b", hardware="./chip.yaml", rent=2.0)
    found, expected = (
        prepared(batch=3),
        llmperf.estimate(model="llama-3.1-8b", hardware="./chip.yaml", rent=2.0, batch=3),
    )
    chip.unlink()
    monkeypatch.chdir("/")
    assert_same(found, expected)
    assert repr(found)
    np.testing.assert_allclose(prepared(batch=np.array([3, 4])).tpot_s[0], expected.tpot_s, rtol=1e-12)
    assert prepared().tpot_s > 0.0


def test_what_was_prepared_with_arrays_keeps_them() -> None:
    prepared = llmperf.prepare(PLAIN, batch=np.array([1, 2]))
    assert prepared().shape == (2,)
    np.testing.assert_array_equal(
        prepared(input=30).ttft_s, llmperf.estimate(PLAIN, batch=np.array([1, 2]), input=30).ttft_s
    )


def test_a_prepared_scenario_goes_to_other_processes() -> None:
    prepared = llmperf.prepare(PLAIN)
    expected = prepared(batch=7).tpot_s
    assert pickle.loads(pickle.dumps(prepared))(batch=7).tpot_s == expected


@pytest.mark.usefixtures("uncounted")
def test_a_mistake_is_found_in_its_file_however_often_it_was_asked(tmp_path: Any) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("model: llama-3.1-8b\nhardware: h100-sxm\nworkload: {input: 100}\n")
    messages = []
    for batch in (0, *range(1, OFTEN + 5), 0):
        try:
            llmperf.estimate(str(file), batch=batch)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) == 2
    assert messages[0] == messages[1]
