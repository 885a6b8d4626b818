"""Models of 2026: as many parameters as the classes of transformers 5.24.0 have when they are built of their fields."""

from __future__ import annotations

import pytest

from llmperf.descriptors.parameters import active_parameters, parameters, tower_parameters
from llmperf.scenarios.components import component

COUNTED = {
    "deepseek-v4-pro": 1_572_997_179_491,
    "deepseek-v4-flash": 284_332_230_231,
    "glm-5.2": 743_377_000_704,
    "glm-5.3-flash": 313_786_889_214,
    "glm-4.5-air": 106_852_245_504,
    "glm-4.7-flash": 29_943_390_976,
    "kimi-k3": 2_779_479_130_112,
    "kimi-linear-48b-a3b": 49_133_074_464,
    "minimax-m3": 427_040_132_864,
    "qwen3.5-397b-a17b": 396_346_350_336,
    "qwen3.5-122b-a10b": 122_111_526_912,
    "qwen3.5-35b-a3b": 34_660_610_688,
    "qwen3.5-27b": 26_895_998_464,
    "qwen3.5-9b": 8_953_803_264,
    "qwen3.8-2.4t-a95b": 2_419_804_697_984,
    "qwen3-next-80b-a3b": 79_674_391_296,
    "qwen3-vl-235b-a22b": 235_670_022_896,
    "qwen3-vl-32b": 33_357_390_064,
    "qwen3-vl-30b-a3b": 31_070_754_032,
    "qwen3-vl-8b": 8_767_123_696,
    "qwen3-vl-4b": 4_437_815_808,
    "qwen3-vl-2b": 2_127_532_032,
    "mistral-large-4": 1_051_822_421_536,
    "mistral-small-4-119b": 118_972_826_624,
    "ministral-3-8b": 8_489_553_920,
    "gemma-4-26b-a4b": 25_805_933_872,
    "gemma-4-31b": 31_273_086_512,
    "gemma-4-e4b": 7_463_013_376,
    "nemotron-3-nano-30b-a3b": 31_577_937_344,
    "nemotron-3-super-120b-a12b": 120_668_687_360,
    "nemotron-3-ultra-550b-a55b": 549_308_968_960,
    "nemotron-h-56b": 56_324_350_464,
    "nemotron-3.5-lightning-30b-a3b": 31_577_937_344,
    "mimo-v2-flash": 308_778_768_832,
    "mimo-v2.5-pro": 1_021_247_225_856,
    "hy3": 295_033_528_320,
    "hy4-preview": 769_907_389_085,
    "laguna-s-2.1": 117_561_977_600,
    "ling-3.0-flash": 124_414_191_072,
    "step-3.5-flash": 195_831_652_352,
    "step-3.7-flash": 197_824_847_872,
    "step-3": 316_293_531_648,
    "longcat-flash": 560_664_958_976,
    "smollm3-3b": 3_075_098_624,
    "ernie-4.5-21b-a3b": 21_825_437_888,
    "muse-glimmer-30b": 29_776_626_688,
    "lfm3-1.7b": 1_728_801_536,
    "a.x-k1": 518_983_052_288,
    "solar-open-100b": 102_651_793_408,
}
"""Parameters of the whole checkpoint without multi-token-prediction layers, towers included where there are any."""

ACTIVE = {
    "deepseek-v4-pro": 49_000_000_000,
    "glm-5.3-flash": 18_000_000_000,
    "kimi-k3": 104_000_000_000,
    "minimax-m3": 26_000_000_000,
    "qwen3.5-397b-a17b": 17_000_000_000,
    "qwen3.5-122b-a10b": 10_000_000_000,
    "qwen3.8-2.4t-a95b": 95_000_000_000,
    "mistral-small-4-119b": 6_500_000_000,
    "nemotron-3-ultra-550b-a55b": 55_000_000_000,
    "mimo-v2-flash": 15_000_000_000,
    "mimo-v2.5-pro": 42_000_000_000,
    "hy3": 21_000_000_000,
    "hy4-preview": 49_000_000_000,
    "ling-3.0-flash": 5_500_000_000,
    "a.x-k1": 33_000_000_000,
}
"""Parameters that a token uses, as the makers say: rounded, with or without the input embedding."""


@pytest.mark.parametrize(("name", "count"), COUNTED.items())
def test_a_model_has_the_parameters_that_its_class_has(name: str, count: int) -> None:
    model = component("model", name)
    assert parameters(model) + tower_parameters(model) == pytest.approx(count, rel=3e-4)


@pytest.mark.parametrize(("name", "count"), ACTIVE.items())
def test_a_token_uses_as_many_of_them_as_the_makers_say(name: str, count: int) -> None:
    model = component("model", name)
    both = [active_parameters(model, input_embedding=embedding) for embedding in (True, False)]
    assert min(abs(one / count - 1) for one in both) < 0.035


@pytest.mark.parametrize("name", COUNTED)
def test_ids_of_hugging_face_name_it(name: str) -> None:
    model = component("model", name)
    assert [alias for alias in model.aliases if "/" in alias]
    assert all(component("model", alias).name == name for alias in model.aliases)
