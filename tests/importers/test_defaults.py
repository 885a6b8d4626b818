"""Configurations as the classes of transformers fill them in have as many parameters as the models built of them."""

from __future__ import annotations

import pytest
from importers.test_huggingface import DEFAULTS, model

from llmperf.descriptors.parameters import parameters
from llmperf.importers.huggingface import from_config
from llmperf.phases.setup import setup
from llmperf.scenarios.resolve import resolve

BUILT = [name for name, written in DEFAULTS.items() if written["parameters"]]

LEFT_OUT = {
    "MiMoV2FlashForCausalLM": 0.001,  # values as wide as keys in the layers with a window
    "AfmoeForCausalLM": 0.001,
    "Glm5NextForConditionalGeneration": 0.001,
    "Step3p7ForConditionalGeneration": 0.001,
}
"""Shares of the parameters that a mapping leaves out, and why."""


@pytest.mark.parametrize("name", BUILT)
def test_a_default_configuration_has_the_parameters_of_the_class(name: str) -> None:
    read = from_config(DEFAULTS[name]["config"])
    assert parameters(model(read.model)) == pytest.approx(DEFAULTS[name]["parameters"], rel=LEFT_OUT.get(name, 1e-4))


@pytest.mark.parametrize("name", DEFAULTS)
def test_its_operators_hold_every_parameter_once(name: str) -> None:
    shape = from_config(DEFAULTS[name]["config"]).model
    written = {"model": shape, "hardware": "b200-sxm", "weights": "bf16", "workload": {"input": 64, "output": 2}}
    prepared = setup(resolve(None, written).scenario)
    found = prepared.table(prepared.decode_step)
    stored = found.total("resident_bytes") + found.total("resident_experts")
    assert stored == pytest.approx(2 * parameters(model(shape)), rel=1e-9)
