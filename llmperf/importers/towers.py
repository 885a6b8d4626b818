"""Encoders of other media that a configuration describes beside its language model: how many parameters they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.importers.parts import Shape

VISION = ("vision_config", "visual", "vision_tower_config", "vit_config")
AUDIO = ("audio_config", "audio_encoder_config", "speech_config", "encoder_config")

DEFAULTS: dict[str, dict[str, Any]] = {
    "pixtral": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "patch_size": 16},
    "qwen2_vl": {"embed_dim": 1280, "depth": 32, "mlp_ratio": 4, "patch_size": 14},
    "qwen2_5_vl": {"hidden_size": 1280, "depth": 32, "intermediate_size": 3420, "patch_size": 14},
    "siglip_vision_model": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "patch_size": 16},
    "llama4_vision_model": {"hidden_size": 768, "intermediate_size": 5632, "num_hidden_layers": 34, "patch_size": 14},
    "intern_vit_6b": {"hidden_size": 3200, "intermediate_size": 12800, "num_hidden_layers": 45, "patch_size": 14},
}
"""What class defaults of transformers 5.24.0 fill in where a configuration leaves it out."""

GATED = ("pixtral", "qwen2_5_vl", "qwen2_5_vl_vision", "glm4v_vision", "glm4v_moe_vision")
"""Encoders whose networks have three matrices."""


def towers(config: Mapping[str, Any], hidden: int) -> tuple[list[Shape], list[str]]:
    """The encoders of a configuration, and what there is to say of them.

    Parameters
    ----------
    config : mapping
        The whole configuration.
    hidden : int
        Width of the language model, which a projection leads to. [1]

    Returns
    -------
    list of dict, list of str
        Documents of `llmperf.descriptors.layers.Tower`; warnings, also of encoders whose size is not said.
    """
    found: list[Shape] = []
    said: list[str] = []
    for kind, keys in (("vision", VISION), ("audio", AUDIO)):
        key = next((key for key in keys if isinstance(config.get(key), Mapping) and config[key]), None)
        if key is None:
            continue
        if size := _parameters(config[key], hidden):
            found.append({"kind": kind, "parameters": size})
            said.append(f"{key}: a {kind} tower of {size / 1e9:.2f}e9 parameters is loaded beside the language model")
        else:
            said.append(f"{key}: its size cannot be told, and it is left out; only the language model is imported")
    return found, said


def _parameters(part: Mapping[str, Any], hidden: int) -> int | None:
    """Parameters of a transformer over patches or frames: layers, patch embedding, positions, norms, projection.

    A layer has four matrices of attention and a network, each with biases, and two norms.
    """
    given = {**DEFAULTS.get(str(part.get("model_type")), {}), **{k: v for k, v in part.items() if v is not None}}
    layers = _number(
        given, "num_hidden_layers", "depth", "vt_num_hidden_layers", "encoder_layers", "num_layers", "layers"
    )
    width = _number(given, "hidden_size", "embed_dim", "vt_hidden_size", "d_model", "width")
    if "embed_dim" in given and "depth" in given:  # Qwen2-VL calls the language model's width hidden_size
        width = _number(given, "embed_dim")
    if not layers or not width:
        return None
    if str(given.get("model_type")).startswith("glm4v"):
        return _glm4v(given, layers, width)
    ratio = given.get("mlp_ratio")
    ffn = _number(given, "intermediate_size", "vt_intermediate_size", "encoder_ffn_dim")
    ffn = ffn or int(width * ratio if isinstance(ratio, int | float) and not isinstance(ratio, bool) else 4 * width)
    matrices = 3 if given.get("model_type") in GATED else 2
    layer = 4 * width * width + 4 * width + matrices * width * ffn + (matrices - 1) * ffn + width + 4 * width
    patch = _number(given, "patch_size") or 0
    channels = _number(given, "in_channels", "in_chans", "num_channels") or 3
    frames = _number(given, "temporal_patch_size") or 1
    image = _number(given, "image_size") or 0
    positions = _number(given, "num_position_embeddings") or ((image // patch) ** 2 if patch and image else 0)
    embedding = (channels * frames * patch * patch + 1 + positions) * width
    return int(layers * layer + embedding + 2 * width + _projection(given, width, hidden))


def _glm4v(given: Mapping[str, Any], layers: int, width: int) -> int:
    """GLM-4V: networks as wide as the output, whose merger has a network of ``intermediate_size`` of its own."""
    out, inner = _number(given, "out_hidden_size") or width, _number(given, "intermediate_size") or width
    merge = _number(given, "spatial_merge_size") or 2
    blocks = layers * (4 * width * width + 3 * width * out + 2 * width)
    return blocks + merge * merge * width * out + out * out + 3 * out * inner


def _projection(given: Mapping[str, Any], width: int, hidden: int) -> int:
    """The projection to the language model: one that merges patches has a square matrix of their width first."""
    merge = _number(given, "spatial_merge_size") or 1
    merged = width * merge * merge
    out = _number(given, "out_hidden_size") or hidden
    one = merged * merged + merged + merged * out + out + 2 * width if merge > 1 else width * out
    more: Any = given.get("deepstack_visual_indexes")
    return one * (1 + (len(more) if isinstance(more, list) else 0))


def _number(given: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = given.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
