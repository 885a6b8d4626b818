"""Models with recurrent mixers: Mamba, Mamba-2, Jamba, Qwen3-Next."""

from __future__ import annotations

from llmperf.errors import shown
from llmperf.importers.families_moe import LOCAL, qwen3_next_moe
from llmperf.importers.parts import (
    RECURRENT,
    Shape,
    attention,
    context,
    decoder,
    dimensions,
    every,
    experts,
    layer_types,
    predictions,
)
from llmperf.importers.reader import Reader, printable
from llmperf.importers.standard import state_dtype

CONTEXT = 2048
"""Context of a state-space model whose config names none: the training length of Mamba-2 (arXiv:2405.21060)."""

OPTIONS = frozenset(
    {
        "A_init_range",
        "conv_init",
        "dt_init",
        "dt_init_floor",
        "dt_limit",
        "dt_max",
        "dt_min",
        "dt_scale",
        "norm_before_gate",
        "use_fast_path",
        "use_mem_eff_path",
    }
)
"""Keys of ``ssm_cfg`` that change neither parameters nor operations."""

MAMBA1 = ("state_size", "expand", "conv_kernel", "time_step_rank")
MAMBA2 = ("state_size", "head_dim", "expand", "n_groups", "conv_kernel", "chunk_size")


def _context(read: Reader) -> int:
    """Longest context: a state-space model has no limit of its own, so its training length stands in."""
    return context(read, CONTEXT, "a state-space model has no limit of its own", "max_position_embeddings")


def mamba1(read: Reader) -> Shape:
    """Mamba in the keys of transformers."""
    model: Shape = {
        "layers": read.whole("num_hidden_layers", "n_layer"),
        "hidden": read.whole("hidden_size", "d_model"),
        "vocab": read.whole("vocab_size"),
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        "norms_per_layer": 1,
    }
    ssm = _selective(read, model, MAMBA1)
    given = read.optional("intermediate_size") or read.optional("d_inner")
    read.ignore("d_inner", "ssm_cfg", "pad_vocab_size_multiple")
    if given not in (None, ssm["expand"] * model["hidden"]) and not read.missing:
        read.problem("intermediate_size", f"{given} contradicts expand {ssm['expand']}")
    read.must_be("use_bias", False, False, "biases of the projections")
    read.must_be("use_conv_bias", True, True, "a convolution without bias")
    return {**model, "ssm": ssm, "max_context": _context(read)}


def _selective(read: Reader, model: Shape, keys: tuple[str, ...]) -> Shape:
    """Mixer of Mamba; `keys` name state, expansion, convolution and rank of the step size, in this order."""
    state, expand, conv = (read.optional(key) for key in keys[:3])
    rank = None if read.config.get(keys[3]) == "auto" else read.optional(keys[3])
    read.ignore(keys[3])
    return {
        "kind": "mamba1",
        "layers": model["layers"],
        "state": state or 16,
        "expand": expand or 2,
        "conv": conv or 4,
        "dt_rank": rank or -(-model["hidden"] // 16),
    }


def mamba2(read: Reader) -> Shape:
    """Mamba-2, in the keys of transformers or in those of state-spaces/mamba."""
    if "hidden_size" not in read.config and ("ssm_cfg" in read.config or "d_model" in read.config):
        return _original(read)
    model: Shape = {
        "layers": read.whole("num_hidden_layers"),
        "hidden": read.whole("hidden_size"),
        "vocab": read.whole("vocab_size"),
        # Mamba2Config sets it to False, unlike the checkpoints of state-spaces, which say so themselves.
        "tied_embeddings": read.switch("tie_word_embeddings", False),
        "norms_per_layer": 1,
    }
    ssm = _dual(read, model, MAMBA2, groups=8)
    inner = ssm["expand"] * model["hidden"]
    for key, wanted in (("num_heads", inner // ssm["head_dim"]), ("intermediate_size", inner)):
        given = read.optional(key)
        if given not in (None, wanted) and not read.missing:
            read.problem(key, f"{given} contradicts expand and head_dim, which make it {wanted}")
    read.must_be("use_bias", False, False, "biases of the projections")
    read.must_be("use_conv_bias", True, True, "a convolution without bias")
    read.ignore("time_step_rank", "n_layer", "pad_vocab_size_multiple")  # left over from Mamba-1 and conversion
    return {**model, "ssm": ssm, "max_context": _context(read)}


def _original(read: Reader) -> Shape:
    """The config of state-spaces/mamba (``MambaConfig``), whose mixer options sit in ``ssm_cfg``."""
    vocab, multiple = read.whole("vocab_size"), read.optional("pad_vocab_size_multiple") or 8
    layernorm = not read.switch("rms_norm", True)
    model: Shape = {
        "layers": read.whole("n_layer"),
        "hidden": read.whole("d_model"),
        "vocab": -(-vocab // multiple) * multiple,
        "tied_embeddings": read.switch("tie_embeddings", True),
        "norms_per_layer": 1,
        "norm": "layernorm" if layernorm else "rmsnorm",
        "norm_bias": layernorm,
    }
    read.ignore("attn_cfg", "attn_layer_idx")
    if read.config.get("attn_layer_idx"):
        read.problem("attn_layer_idx", "attention layers between Mamba layers are not modelled from this file")
    if read.optional("d_intermediate", least=0):
        read.problem("d_intermediate", "feed-forward networks between Mamba layers are not modelled from this file")
    ssm = _options(read, model)
    family = {"family": "mamba"} if ssm.get("kind") == "mamba1" else {}
    return {**model, **family, "ssm": ssm, "max_context": _context(read)}


def _options(read: Reader, model: Shape) -> Shape:
    """Mixer from ``ssm_cfg``: the arguments of ``Mamba`` or ``Mamba2`` in state-spaces/mamba, and their defaults."""
    options = read.nested("ssm_cfg")
    kind = options.text("layer") or "Mamba1"  # state-spaces' own default
    if kind not in ("Mamba1", "Mamba2"):
        options.problem("layer", f"{shown(kind)} is not modelled", ("Mamba1", "Mamba2"))
    if kind == "Mamba1":
        ssm = _selective(options, model, ("d_state", "expand", "d_conv", "dt_rank"))
    else:
        keys = ("d_state", "headdim", "expand", "ngroups", "d_conv", "chunk_size")
        ssm = _dual(options, model, keys, groups=1)
        options.must_be("rmsnorm", True, True, "a mixer without inner norm")
        options.must_be("D_has_hdim", False, False, "a skip weight for each channel")
    options.must_be("bias", False, False, "biases of the projections")
    options.must_be("conv_bias", True, True, "a convolution without bias")
    for key in sorted(map(str, set(options.config) - options.known - OPTIONS)):
        options.warn(printable(key), "not understood and left out, but may change the shape")
    return ssm


def _dual(read: Reader, model: Shape, keys: tuple[str, ...], groups: int) -> Shape:
    """Mixer of Mamba-2; `keys` name state, head width, expansion, groups, convolution and chunk, in this order."""
    state, head_dim, expand, group, conv, chunk = (read.optional(key) for key in keys)
    ssm = {
        "layers": model["layers"],
        "state": state or 128,
        "head_dim": head_dim or 64,
        "expand": expand or 2,
        "groups": group or groups,
        "conv": conv or 4,
        "chunk": chunk or 256,
    }
    inner = ssm["expand"] * model["hidden"]
    if inner % ssm["head_dim"] and not read.missing:
        read.problem(keys[1], f"{ssm['head_dim']} does not divide the inner width {inner}")
    return ssm


def jamba(read: Reader) -> Shape:
    """Jamba: Mamba with inner norms, attention in every eighth layer, experts in every second."""
    model = decoder(read)
    layers = model["layers"]
    model["attention"] = {**attention(read, model["hidden"], kv_heads=8), "rotary": False}
    period = read.default("attn_layer_period", 8)
    offset = read.default("attn_layer_offset", 4, least=0)
    attending = len(range(min(offset, layers), layers, period))
    ssm = _selective(read, model, ("mamba_d_state", "mamba_expand", "mamba_d_conv", "mamba_dt_rank"))
    read.must_be("mamba_proj_bias", False, False, "biases of the projections")
    read.must_be("mamba_conv_bias", True, True, "a convolution without bias")
    read.must_be("mamba_inner_layernorms", True, True, "a mixer without inner norms")
    read.ignore("use_mamba_kernels", "num_logits_to_keep")
    if attending < layers:
        model["ssm"] = {**ssm, "layers": layers - attending, "inner_norms": True}
    step, first = read.default("expert_layer_period", 2), read.default("expert_layer_offset", 1, least=0)
    if read.config.get("num_experts") == 1:  # Jamba's way to say that every network is dense
        read.ignore("num_experts", "num_experts_per_tok")
    else:
        model["moe"] = {**experts(read, LOCAL[::-1], model["ffn"]), **every(read, model, step, first)}
    window = read.optional("sliding_window")
    if window is not None and window < model["max_context"]:
        model["attention"].update(window=window, windowed_layers=attending)
    return model


def qwen3_next(read: Reader) -> Shape:
    """Qwen3-Next and Qwen3.5: a gated delta rule in three of four layers; experts with a gated share, or dense."""
    dense = not any(read.has(key) for key in LOCAL)
    # The dense width is for layers without experts, of which Qwen3.5-MoE has none.
    model = decoder(read) if dense or read.has("intermediate_size") else dimensions(read)
    part = attention(read, model["hidden"], kv_heads=2, head_dim=256)
    model["attention"] = {**part, "qk_norm": True, "output_gate": read.switch("attn_output_gate", True)}
    linear = _linear_layers(read, model["layers"])
    if linear:
        model["ssm"] = _gated_delta(read, linear)
    if not dense:
        model["moe"] = qwen3_next_moe(read, model)
    read.must_be("attention_bias", False, False, "biases of gated attention")
    return {**model, **predictions(read, "mtp_num_hidden_layers")}


def _linear_layers(read: Reader, layers: int) -> int:
    """Layers with the gated delta rule."""
    kinds = layer_types(read, layers, RECURRENT)
    interval = read.optional("full_attention_interval") or 4
    return sum(kind == RECURRENT for kind in kinds) if kinds is not None else layers - layers // interval


def _gated_delta(read: Reader, layers: int) -> Shape:
    return {
        "kind": "gated_delta",
        "layers": layers,
        "state": read.default("linear_key_head_dim", 128),
        "head_dim": read.default("linear_value_head_dim", 128),
        "key_heads": read.default("linear_num_key_heads", 16),
        "value_heads": read.default("linear_num_value_heads", 32),
        "conv": read.default("linear_conv_kernel_dim", 4),
        "chunk": 64,
        **state_dtype(read),
    }
