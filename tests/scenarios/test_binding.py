"""Arrays are kept beside a scenario's numbers: a block is bound to its part of them, and to nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import llmperf
from llmperf.errors import InputError
from llmperf.scenarios.binding import BLOCK, Joined, Resolved, bound
from llmperf.scenarios.resolve import resolve

PLAIN = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}


def test_a_template_holds_the_first_element_and_the_arrays_stand_beside_it() -> None:
    found = resolve(PLAIN, {"batch": np.array([2, 4, 8]), "tp": np.array([4, 2, 1])})
    assert (found.template.workload.batch, found.template.parallelism.tp, found.template.devices) == (2, 4, 4)
    assert {path: array.tolist() for path, array in found.arrays.items()} == {
        "workload.batch": [2, 4, 8],
        "parallelism.tp": [4, 2, 1],
        "devices": [4, 2, 1],
    }


def test_a_block_holds_its_part_of_each_array_and_the_other_objects_of_the_template() -> None:
    count = BLOCK + 3
    found = resolve(PLAIN, {"batch": np.arange(1, count + 1), "hardware.clock": np.linspace(1e9, 2e9, count)})
    first, last = found.blocks()
    assert first.workload.batch.tolist() == [*range(1, BLOCK + 1)]
    assert last.workload.batch.tolist() == [BLOCK + 1, BLOCK + 2, BLOCK + 3]
    assert last.hardware.clock[-1] == 2e9
    assert last.model is found.template.model
    assert last.hardware.achieved is found.template.hardware.achieved


def test_an_array_of_a_descriptor_that_is_no_knob_is_not_cut_whatever_its_length() -> None:
    found = resolve(PLAIN, {"batch": np.array([1, 2, 3])})
    curve = np.array([0.1, 0.2, 0.3])  # as long as the knobs by chance
    hardware = replace(found.template.hardware, achieved=replace(found.template.hardware.achieved, fitted={"c": curve}))
    beside = replace(found, template=replace(found.template, hardware=hardware))
    one = beside.cut(slice(1, 2))
    assert one.workload.batch.tolist() == [2]
    assert one.hardware.achieved.fitted["c"] is curve


def test_one_knob_of_one_element_is_an_array_still() -> None:
    assert llmperf.estimate(PLAIN, batch=np.array([4])).tpot_s.shape == (1,)


def test_the_blocks_joined_are_the_configurations_one_by_one() -> None:
    batch = np.arange(1, 2 * BLOCK + 6)[:, None]
    length = np.array([128, 4096])
    found = llmperf.estimate(PLAIN, batch=batch, input=length, output=32)
    for row, column in ((0, 1), (BLOCK // 2, 0), (2 * BLOCK + 4, 1)):
        alone = llmperf.estimate(PLAIN, batch=int(batch[row, 0]), input=int(length[column]), output=32)
        assert found.e2e_s[row, column] == pytest.approx(alone.e2e_s, rel=1e-12)
        assert found.bottleneck["decode"][row, column] == alone.bottleneck["decode"]
        assert found.fits[row, column] == alone.fits


def test_a_value_put_in_place_of_an_array_leaves_no_array() -> None:
    found = resolve(PLAIN, {"batch": np.array([1, 2, 3]), "input": np.array([256, 512, 1024])})
    assert set(found.having("workload.batch", 7).arrays) == {"workload.input"}
    assert found.having("workload.batch", 7).scenario.workload.batch == 7
    varied = found.having("workload.batch", np.array([9.0, 8.0, 7.0]))
    assert (varied.template.workload.batch, varied.scenario.workload.batch.tolist()) == (9.0, [9.0, 8.0, 7.0])


def test_columns_are_numbers_but_for_truth_values_and_codes() -> None:
    joined = Joined(Resolved(resolve(PLAIN).template, (2, 2), ()))
    joined.add({"a": 1, "fits": np.array([True, False, True, True]), "code": np.uint8(3)})
    assert {name: column.dtype.str for name, column in joined.columns.items()} == {
        "a": "<f8",
        "fits": "|b1",
        "code": "|u1",
    }
    assert joined.columns["fits"].tolist() == [[True, False], [True, True]]


def test_what_has_no_fields_takes_no_array() -> None:
    with pytest.raises(InputError, match="no array can be bound here"):
        bound(resolve(PLAIN).template, {"model.name.first": np.array([1.0])})
