"""Parameter counts: to the digit where the vendor publishes an exact integer."""

from __future__ import annotations

import pytest

from llmperf.descriptors.parameters import active_parameters, parameters, prediction_parameters, tower_parameters
from llmperf.phases.setup import setup
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component
from llmperf.scenarios.resolve import resolve

OFFICIAL = {
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "llama-2-7b": 6_738_415_616,
    "llama-2-70b": 68_976_648_192,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "deepseek-v3": 671_026_419_200,
    "gemma-2-9b": 9_241_705_984,
    "qwen2.5-72b": 72_706_203_648,
}


@pytest.mark.parametrize(("name", "count"), OFFICIAL.items())
def test_a_model_has_as_many_parameters_as_its_vendor_says(name: str, count: int) -> None:
    assert parameters(component("model", name)) == count


@pytest.mark.parametrize("name", sorted(catalog.files("model")))
def test_every_published_count_agrees_with_the_shape(name: str) -> None:
    model = component("model", name)
    if model.official is None:
        pytest.skip("the vendor publishes none")
    if model.official.exact:
        assert parameters(model) == model.official.parameters
    else:
        assert parameters(model) == pytest.approx(model.official.parameters, rel=0.03)  # rounded to two digits


@pytest.mark.parametrize("name", sorted(catalog.files("model")))
def test_the_operator_table_holds_every_parameter_once(name: str) -> None:
    written = {"model": name, "hardware": "h100-sxm", "weights": "bf16"}
    if component("model", name).generates:
        written |= {"workload": {"input": 8, "output": 2}}
    scenario = resolve(None, written).scenario
    prepared = setup(scenario)
    steps = [prepared.prefill_step]
    if scenario.model.generates and not scenario.model.encoder:  # an encoder has no part in decode
        steps.append(prepared.decode_step)
    for step in steps:
        table = prepared.table(step)
        stored = table.total("resident_bytes") + table.total("resident_experts")
        assert stored == pytest.approx(2 * (parameters(scenario.model) + tower_parameters(scenario.model)), rel=1e-12)


@pytest.mark.parametrize(("name", "count"), [("deepseek-v3", 11_610_068_224), ("minimax-m2.5", 11_062_807_296)])
def test_prediction_layers_are_counted_apart(name: str, count: int) -> None:
    """DeepSeek-V3's README_WEIGHTS says 11.5 B unique parameters of its one prediction layer."""
    assert prediction_parameters(component("model", name)) == count


def test_a_published_count_that_includes_block_scales_is_explained() -> None:
    """Kimi K2's total on the hub counts an fp32 scale for every 128 x 128 block of its fp8 matrices."""
    kimi = component("model", "kimi-k2")
    published = kimi.official.parameters
    scales = published - parameters(kimi)
    assert scales == pytest.approx(parameters(kimi) / 128**2, rel=0.01)


def test_a_token_uses_two_of_mixtrals_eight_experts() -> None:
    mixtral = component("model", "mixtral-8x7b")
    expert = 3 * 4096 * 14336
    assert parameters(mixtral) - active_parameters(mixtral) == 32 * 6 * expert


def test_active_parameters_have_two_conventions() -> None:
    model = component("model", "llama-3.1-8b")
    assert active_parameters(model) - active_parameters(model, input_embedding=False) == 128256 * 4096
