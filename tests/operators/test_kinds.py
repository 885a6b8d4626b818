"""A kind of operators is one row: whatever asks for kinds finds all of it there, and a new one is priced like any."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args

import numpy as np
import pytest

from llmperf.answers.breakdown import operators
from llmperf.costs.machine import Machine, machine_of
from llmperf.costs.pricing.priced import Priced, memory_time
from llmperf.costs.step import price
from llmperf.descriptors.achieved import Achieved
from llmperf.descriptors.hardware import OperatorClass
from llmperf.errors import InputError
from llmperf.evidence.kernels.formats import FORMATS
from llmperf.operators import kinds
from llmperf.operators.kinds import KINDS, Kind, kind
from llmperf.operators.table import Block, Row, table
from llmperf.phases.phase import Phase
from llmperf.scenarios.components import component


@pytest.mark.parametrize("name", list(KINDS))
def test_a_kind_has_a_price_a_label_and_measured_kernels_or_a_reason(name: str) -> None:
    one = KINDS[name]
    module, _, function = one.price.partition(":")
    assert callable(getattr(import_module(module), function))
    assert one.label
    assert bool(one.measured) != bool(one.unmeasured), "either a table of measured kernels, or why there is none"
    assert not one.measured or one.measured in FORMATS
    assert not one.section or one.section in Achieved.__dataclass_fields__
    assert not one.placed or one.placed in KINDS


@pytest.mark.parametrize("name", list(KINDS))
def test_every_column_of_a_kind_is_described(name: str) -> None:
    assert Block.__doc__
    said = {word for line in Block.__doc__.splitlines() if " : " in line for word in line.split(" : ")[0].split(", ")}
    assert KINDS[name].declared <= {word.strip() for word in said}


def test_operator_classes_that_hardware_places_are_kinds() -> None:
    assert set(get_args(OperatorClass)) <= set(KINDS)


def test_an_unknown_kind_is_named_with_what_is_near() -> None:
    with pytest.raises(InputError, match=r"attention\.decod"):
        kind("attention.decod")


def test_a_column_that_a_kind_does_not_declare_is_refused() -> None:
    with pytest.raises(ValueError, match="declare no column scores"):
        table({"gemm": [Row("x", 1.0, (1.0,), flops=1.0, scores=2.0)]})


@pytest.fixture
def convolution() -> Iterator[Kind]:
    """A kind that the package does not know, with a column of its own."""
    new = Kind(
        "convolution",
        "convolutions",
        ("flops", "activation_bytes", "taps"),
        f"{__name__}:price_convolution",
        unmeasured="an example",
        shape=("taps", "n", "k"),
    )
    yield kinds.register(new)
    del KINDS["convolution"]


def price_convolution(block: Block, machine: Machine, elsewhere: Any) -> Priced:
    """As long as its memory takes for each of its taps."""
    memory = memory_time(block, machine, elsewhere)[1]
    time = memory * block.column("taps")
    name = machine.runs(block.kind).memory
    return Priced(block, time, memory, {name: time}, {}, name)


def test_a_new_kind_is_priced_and_listed_like_any(convolution: Kind) -> None:
    machine = machine_of(component("hardware", "h100-sxm"))
    rows = [Row("blur", 3.0, (3.0,), activation_bytes=6.7e9, taps=9.0), Row("edge", 1.0, (1.0,), taps=3.0)]
    product = Row("x", 1.0, (1.0,), flops=1e12, activation_bytes=1e6, m=64.0, n=64.0, k=64.0)
    costs = price(table({"gemm": [product], convolution.name: rows}), machine)
    found = {row.name: row for row in operators(Phase(0.0, 0.0, 0.0, {}, costs, 1.0))}
    once = 6.7e9 / float(np.max(machine.runs("gemm").bandwidth))
    assert found["blur"].time_s == pytest.approx(9.0 * once)
    assert found["blur"].total_s == pytest.approx(27.0 * once)
    assert found["blur"].m == 9.0, "tables of operators show the columns that the kind names"
    assert found["blur"].to_dict()["kind"] == "convolution"
    assert set(found) == {"blur", "edge", "x"}
    assert costs.limits["memory.main"].total >= 27.0 * once


def test_arrays_go_through_a_new_kind_as_numbers_do(convolution: Kind) -> None:
    machine = machine_of(component("hardware", "h100-sxm"))
    taps = np.array([1.0, 2.0, 4.0])
    costs = price(table({convolution.name: [Row("blur", 1.0, (1.0,), activation_bytes=1e9, taps=taps)]}), machine)
    assert costs.time["matrix"].total == pytest.approx(taps * costs.time["matrix"].total[0])
