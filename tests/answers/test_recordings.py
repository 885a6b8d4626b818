"""A replayed answer is the evaluated one: over models, formats, methods, kernels, layouts and axes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.answers import recordings
from llmperf.answers.answer import MANY, answer
from llmperf.answers.columns import LIMITS, columns_of, grouped
from llmperf.answers.questions import QUESTIONS, asked
from llmperf.answers.recordings import Recording, recording
from llmperf.errors import InputError
from llmperf.numeric import anywhere
from llmperf.recording.recorder import NotRecordedError, record
from llmperf.scenarios import catalog
from llmperf.scenarios.binding import Resolved, bound
from llmperf.scenarios.resolve import resolve

NAMES = {
    kind: sorted(catalog.files(kind)) for kind in ("model", "hardware", "weights", "kv_cache", "engine", "attention")
}
VARYING = {
    "batch": st.integers(1, 300),
    "input": st.integers(16, 1500),
    "output": st.integers(1, 400),
    "tp": st.sampled_from([1, 2, 4, 8]),
    "pp": st.sampled_from([1, 2, 3, 4]),
    "dp": st.sampled_from([1, 2]),
    "hardware.clock": st.floats(5e8, 3e9),
}


def evaluated(resolved: Resolved) -> dict[tuple[str, str], Any]:
    """The columns of a scenario as they are written down, not recorded."""
    return columns_of(asked(resolved.template).evaluation(resolved.scenario))


def recording_of(resolved: Resolved) -> Recording:
    question = asked(resolved.template)
    return Recording(
        lambda arrays: columns_of(question.evaluation(bound(resolved.template, arrays))), tuple(resolved.axes)
    )


def assert_equal(resolved: Resolved, found: dict[str, dict[str, Any]]) -> None:
    """Every column equals the evaluated one to 1e-12; what limits may differ where two wait equally long."""
    expected = grouped(evaluated(resolved))
    assert {group: set(part) for group, part in found.items()} == {group: set(part) for group, part in expected.items()}
    for group, part in expected.items():
        for name, values in part.items():
            own = np.broadcast_to(np.reshape(values, -1), resolved.size).astype(float)
            other = np.broadcast_to(found[group][name], resolved.shape).reshape(-1).astype(float)
            if group == LIMITS:
                assert np.mean(own == other) > 0.95
            else:
                np.testing.assert_allclose(other, own, rtol=1e-12, atol=0.0, err_msg=f"{group}.{name}")


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario of the catalog with some numbers as arrays of one length, which may be refused."""
    found: dict[str, Any] = {
        "model": draw(st.sampled_from(NAMES["model"])),
        "hardware": draw(st.sampled_from(NAMES["hardware"])),
    }
    for kind in ("weights", "kv_cache", "engine", "attention"):
        if draw(st.booleans()):
            found[kind] = draw(st.sampled_from(NAMES[kind]))
    for name, values in (("tp", [2, 8]), ("pp", [2, 4]), ("dp", [2]), ("cp", [2]), ("ep", [2, 8])):
        if draw(st.integers(0, 3)) == 0:
            found[name] = draw(st.sampled_from(values))
    size = draw(st.integers(2, 30))
    several = draw(st.sets(st.sampled_from([*VARYING]), min_size=1))
    return {
        **found,
        **{name: np.array(draw(st.lists(VARYING[name], min_size=size, max_size=size))) for name in sorted(several)},
    }


@settings(max_examples=60)
@given(scenarios())
def test_a_replay_equals_the_evaluation(scenario: dict[str, Any]) -> None:
    try:
        resolved = resolve(None, scenario)
        evaluated(resolved)
    except InputError:
        return
    found = recording_of(resolved).arrays(resolved.axes, resolved.shape)
    assert found is not None
    assert_equal(resolved, found)


PLAIN = {"model": "llama-3.2-1b", "hardware": "h100-sxm"}
LENGTHS = {"batch": np.array([1, 7, 64]), "input": np.array([100, 1000, 400]), "output": np.array([1, 30, 5])}
KINDS = [
    *({**PLAIN, kind: name} for kind in ("weights", "kv_cache", "engine", "attention") for name in NAMES[kind]),
    *({"model": name, "hardware": "mi300x", "input": 64, "output": 1} for name in NAMES["model"]),
    *({"model": "llama-3.2-1b", "hardware": name} for name in NAMES["hardware"]),
]


@pytest.mark.parametrize("scenario", KINDS, ids=lambda scenario: " ".join(map(str, scenario.values())))
def test_every_entry_of_the_catalog_can_be_recorded(scenario: dict[str, Any]) -> None:
    """A formula that cannot be recorded is named, with what to write in its place (docs/recording.md)."""
    varying = {name: values for name, values in LENGTHS.items() if name not in scenario}
    try:
        resolved = resolve(None, {**scenario, **varying})
        evaluated(resolved)
    except InputError:
        return
    question = asked(resolved.template)
    try:
        record(lambda arrays: columns_of(question.evaluation(bound(resolved.template, arrays))), dict(resolved.arrays))
    except NotRecordedError as error:
        frames = [
            one for one in traceback.extract_tb(error.__traceback__) if "recording" not in Path(one.filename).parts
        ]
        place = next(one for one in reversed(frames) if not one.filename.endswith("numeric.py"))
        pytest.fail(f"{place.filename}:{place.lineno} in {place.name}: {error}")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No recordings before or after."""
    recordings._known.clear()
    yield
    recordings._known.clear()


@pytest.mark.usefixtures("forgotten")
def test_many_configurations_are_replayed_and_few_are_not() -> None:
    llmperf.estimate(PLAIN, batch=np.arange(1, 100))
    assert not recordings._known
    many = np.resize(np.arange(1, 200), MANY)
    found = llmperf.estimate(PLAIN, batch=many)
    assert len(recordings._known) == 1
    few = llmperf.estimate(PLAIN, batch=np.arange(1, 200))
    np.testing.assert_allclose(found.tpot_s[:199], few.tpot_s, rtol=1e-12)
    assert found.bottleneck["decode"][:199].tolist() == few.bottleneck["decode"].tolist()
    assert found.evaluated[0].phases["decode"].projection.shape == (4096,)  # evaluated when somebody looks


@pytest.mark.usefixtures("forgotten")
def test_scenarios_that_differ_in_nothing_but_what_varies_have_one_recording() -> None:
    question = QUESTIONS["estimate"]
    one, same, other = (
        resolve(PLAIN, {"batch": batch, "output": output}).template for batch, output in ((1, 8), (5, 8), (1, 9))
    )
    paths = ("workload.batch",)
    assert recording(question, one, paths) is recording(question, same, paths)
    assert recording(question, one, paths) is not recording(question, other, paths)
    assert recording(question, one, paths) is not recording(question, one, ("workload.input",))
    fp8 = resolve(PLAIN, {"weights": "fp8", "output": 8}).template
    assert recording(question, one, paths) is not recording(question, fp8, paths)


GRID = {
    "batch": np.array([1, 4, 16, 64])[:, None, None],
    "input": np.arange(100, 140)[None, :, None],
    "output": np.arange(1, 60)[None, None, :],
}


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("extra", [{}, {"tp": np.array([1, 2]).reshape(2, 1, 1, 1)}])
def test_a_grid_is_what_its_configurations_are(transposed: bool, extra: dict[str, Any]) -> None:
    grid = {name: array.T if transposed else array for name, array in GRID.items()} | extra
    resolved = resolve(PLAIN, grid)
    found = recording_of(resolved).arrays(resolved.axes, resolved.shape)
    assert found is not None
    assert_equal(resolved, found)
    assert found["memory"]["weights"].shape == resolved.shape


def test_what_varies_along_no_axis_takes_no_memory() -> None:
    resolved = resolve(PLAIN, {"batch": np.resize(np.arange(1, 500), MANY)})
    found = recording_of(resolved).arrays(resolved.axes, resolved.shape)
    assert found is not None
    assert found["memory"]["weights"].strides == (0,)
    assert found["memory"]["kv_cache"].strides == (8,)


def toy(arrays: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """A formula that decides by what it sees of a block."""
    a = arrays["a"]
    return {("part", "out"): a * 2.0 if anywhere(a > 5.0) else a + 100.0}


def test_a_block_that_decides_otherwise_has_a_recording_of_its_own() -> None:
    a = np.full(5 * 16384, 9.0)
    a[16384 : 2 * 16384] = 1.0
    made = Recording(toy, ("a",))
    found = made.arrays({"a": a}, a.shape)
    assert found is not None
    np.testing.assert_array_equal(found["part"]["out"], np.where(a > 5.0, 18.0, 101.0))
    assert len(made.programs) == 2


def test_the_recording_that_serves_goes_first() -> None:
    made = Recording(toy, ("a",))
    for value in (9.0, 1.0, 1.0, 9.0):
        a = np.full(3 * 16384, value)
        found = made.arrays({"a": a}, a.shape)
        assert found is not None
        assert found["part"]["out"][-1] == (18.0 if value > 5.0 else 101.0)
    assert len(made.programs) == 2


def test_blocks_that_no_recording_serves_are_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "VARIANTS", 1)
    a = np.full(3 * 16384, 9.0)
    a[:16384] = 1.0
    made = Recording(toy, ("a",))
    found = made.arrays({"a": a}, a.shape)
    assert found is not None
    np.testing.assert_array_equal(found["part"]["out"], np.where(a > 5.0, 18.0, 101.0))
    assert len(made.programs) == 1


def test_what_cannot_be_recorded_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmperf.costs import gemm

    batch = np.resize(np.arange(1, 200), MANY)
    expected = llmperf.estimate(PLAIN, batch=batch, output=9)
    recordings._known.clear()
    real = gemm.serial_k
    monkeypatch.setattr(
        gemm,
        "serial_k",
        lambda *given: np.sort(real(*given), axis=0) if np.ndim(given[0]) > 9 else real(*map(np.asarray, given)),
    )
    found = llmperf.estimate(PLAIN, batch=batch, output=9)
    np.testing.assert_allclose(found.e2e_s, expected.e2e_s, rtol=1e-12)
    recordings._known.clear()


def test_a_maximized_batch_is_replayed() -> None:
    lengths = np.resize(np.arange(100, 300), MANY)
    found = answer(resolve(PLAIN, {"input": lengths, "maximize": "batch"}))
    alone = llmperf.estimate(PLAIN, input=int(lengths[7]), maximize="batch")
    assert found.scenario.workload.batch[7] == alone.scenario.workload.batch
    np.testing.assert_allclose(found.value("tpot_s")[7], alone.tpot_s, rtol=1e-12)


@pytest.mark.parametrize("size", [5, MANY])
def test_an_output_of_arrays_is_read_only_and_no_view_of_another(size: int) -> None:
    found = llmperf.estimate(PLAIN, batch=np.resize(np.arange(1, 60), size))
    with pytest.raises(ValueError, match="read-only"):
        found.e2e_s[:] = 0.0
    assert not np.shares_memory(found.tpot_s, found.e2e_s)
    assert not np.shares_memory(found.projection.tpot_s, found.bound.tpot_s)


@pytest.mark.usefixtures("forgotten")
def test_a_kind_of_operators_that_is_registered_anew_is_recorded_anew() -> None:
    from dataclasses import replace

    from llmperf.operators import kinds

    batch = np.resize(np.arange(1, 60), MANY)
    before = llmperf.estimate(PLAIN, batch=batch).tpot_s
    own = kinds.KINDS["gemm"]

    def twice(*given: Any) -> Any:
        from llmperf.costs.pricing.products import price

        found = price(*given)
        found.time = 2.0 * found.time
        return found

    kinds.register(replace(own, price=twice))
    try:
        assert np.all(llmperf.estimate(PLAIN, batch=batch).tpot_s > 1.2 * before)
    finally:
        kinds.register(own)
    np.testing.assert_array_equal(llmperf.estimate(PLAIN, batch=batch).tpot_s, before)


def test_a_default_input_follows_each_output_of_an_array() -> None:
    short = {"model": "gpt2", "hardware": "h100-sxm"}
    output = np.array([1, 100, 900])
    together = llmperf.estimate(short, output=output)
    for index, one in enumerate(output):
        alone = llmperf.estimate(short, output=int(one))
        assert together.ttft_s[index] == pytest.approx(alone.ttft_s, rel=1e-12)
        assert together.scenario.workload.input[index] == alone.scenario.workload.input


def test_arrays_of_an_engine_or_a_tier_are_numbers_like_others() -> None:
    seats = llmperf.estimate(PLAIN, **{"engine.max_sequences": np.array([4, 4000])})
    assert seats.max_batch[0] == 4.0 < seats.max_batch[1]
    ram = {
        "model": "llama-3.1-70b",
        "hardware": {
            "extends": "h100-sxm",
            "tiers": {"dram": {"kind": "host", "capacity": "512 GiB", "via": "pcie"}},
            "memory_order": ["hbm", "dram"],
        },
    }
    room = llmperf.estimate(ram, **{"hardware.tiers.dram.capacity": np.array([50e9, 600e9])})
    assert room.memory.missing[0] > room.memory.missing[1]


def test_inputs_that_change_later_change_no_answer() -> None:
    batch = np.array([1.0, 2.0])
    found = llmperf.estimate(PLAIN, batch=batch, rent=2.0)
    expected = llmperf.estimate(PLAIN, batch=batch.copy(), rent=2.0).projection.cost_per_mtok_usd
    batch *= 10.0
    np.testing.assert_array_equal(found.projection.cost_per_mtok_usd, expected)


def test_a_question_without_phases_has_no_limits() -> None:
    from llmperf.answers.answer import Answer, _origin, answered_by

    resolved = resolve(PLAIN, {})
    columns = {"memory": grouped(evaluated(resolved))["memory"]}
    found = answered_by(Answer, QUESTIONS["estimate"], columns, (), _origin(resolved, resolved), {})
    assert found.bottleneck == {}
    assert set(found.parts) == {"memory"}
