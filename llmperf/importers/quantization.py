"""Weight and KV-cache formats of a config's ``quantization_config``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmperf.descriptors.fields import Count
from llmperf.errors import nearest, shown
from llmperf.importers.reader import Reader, printable
from llmperf.importers.unquantized import kept_parts

Format = str | dict[str, Any]
"""Name of a catalog format, or a `WeightFormat` written out."""

MIXED = "layers have different formats, and one is needed for all of them"


class _UnknownSchemeError(Exception):
    """A scheme that no weight format expresses; its text says which."""


def quantization(read: Reader, config: Mapping[str, Any] | None = None) -> tuple[Format | None, str | None]:
    """Weight format and KV-cache format of ``quantization_config``, or of `config` where that stands elsewhere."""
    # compressed-tensors called it compression_config before transformers adopted it.
    key = "compression_config" if read.config.get("compression_config") else "quantization_config"
    written = config if config is not None else read.mapping(key)
    read.ignore("quantization", "kv_cache_dtype", "kv_cache_torch_dtype", "quantization_config", "compression_config")
    kv_cache = _kv_cache(read, key, written)
    if not written:
        return None, kv_cache
    method = written.get("quant_method")
    if not isinstance(method, str) or method.lower() not in METHODS:
        known = tuple(METHODS)
        near = nearest(method, known) if isinstance(method, str) else None
        said = "is missing" if method is None else f"{shown(method)} is not supported"
        read.problem(f"{key}.quant_method", said, known, near)
        return None, kv_cache
    try:
        weights = METHODS[method.lower()](written)
    except _UnknownSchemeError as error:
        read.problem(key, f"this {method} scheme is not supported: {error}", FORMATS)
        return None, kv_cache
    return _with_exceptions(read, key, written, weights), kv_cache


def _with_exceptions(read: Reader, key: str, written: Mapping[str, Any], weights: Format) -> Format:
    """The format with the modules that stay unquantized; a warning says which, and which are not understood."""
    names: list[str] = []
    for listed in ("modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules", "llm_int8_skip_modules"):
        value = written.get(listed)
        if isinstance(value, list):
            names += [name for name in value if isinstance(name, str)]
    keeps, unknown = kept_parts([name.lower() for name in names], read.config)
    if weights == "mxfp4":  # experts alone are stored so, whatever is listed
        keeps = {"attention": 1.0, "mlp": 1.0, "shared": 1.0}
    if keeps:
        said = ", ".join(f"{part}{'' if share == 1.0 else f' ({share:.0%} of it)'}" for part, share in keeps.items())
        read.warn(key, f"stays unquantized: {said}")
    if unknown:
        some = ", ".join(printable(name) for name in unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        read.warn(key, f"{len(unknown)} module(s) stay unquantized, but count as quantized: {some}")
    for special in ("dynamic", "module_config", "layer_config", "quantized_layers"):
        if isinstance(written.get(special), Mapping) and written[special]:
            read.warn(key, f"{special}: formats of single layers are left out")
    if not keeps:
        return weights
    return {"extends": weights, "keeps": keeps} if isinstance(weights, str) else {**weights, "keeps": keeps}


def _kv_cache(read: Reader, key: str, written: Mapping[str, Any]) -> str | None:
    """KV-cache format: the three places where tools write it."""
    scheme = written.get("kv_cache_scheme")
    if isinstance(scheme, Mapping):
        if (scheme.get("type"), scheme.get("num_bits")) != ("float", 8):
            read.problem(f"{key}.kv_cache_scheme", f"{shown(dict(scheme))} is not supported", ("fp8",))
        return "fp8"
    named = written.get("kv_cache_quant_algo") or read.config.get("kv_cache_torch_dtype")
    named = named or read.config.get("kv_cache_dtype")
    if named is None or named == "auto":
        return None
    if isinstance(named, str) and named.lower() in ("bfloat16", "float16", "bf16", "fp16"):
        return "bf16"
    if not isinstance(named, str) or not named.lower().startswith(("fp8", "float8")):
        read.problem(f"{key}.kv_cache_quant_algo", f"KV cache {shown(named)} is not supported", ("fp8",))
    return "fp8"


# --- Formats ---------------------------------------------------------------------------------------------------------


def weight_only(
    tool: str, bits: float, group: int | None, zero: float, scale: float = 16, activations: str = "bf16", flops: int = 2
) -> Format:
    """Quantized weights, products in `activations`: the catalog's 4 bits in groups of 128, or a format written out."""
    if (bits, group, activations, scale) == (4, 128, "bf16", 16):
        return "w4a16-g128"
    name = f"{tool}-w{bits:g}" + (f"-g{group}" if group else "")
    if activations != "bf16":
        name += f"-{activations}"
    said = f"{bits:g}-bit weights, " + (f"a scale of {scale:g} bits for {group}" if group else "a scale a channel")
    return {
        "name": name,
        "bits": bits,
        "activations": activations,
        "weight_only": True,
        **({"group": group, "block": group, "scale_bits": scale, "zero_bits": zero} if group else {}),
        "dequantize_flops": flops,
        "sources": {"all": f"quantization_config of the model, {tool}: {said}"},
    }


def _count(written: Mapping[str, Any], key: str, *others: str) -> int | None:
    """Whole number under `key` or its other names; a group of -1, or none, means a whole channel."""
    for name in (key, *others):
        value = written.get(name)
        if value is not None:
            try:
                return None if value == -1 else int(Count(1).check(value))
            except ValueError as error:
                raise _UnknownSchemeError(f"{name} {error}") from None
    return None


def _fp8(written: Mapping[str, Any]) -> Format:
    """``fp8``: one scale a tensor, or DeepSeek's scale a block."""
    fmt = written.get("fmt")
    if fmt is not None and not (isinstance(fmt, str) and fmt.lower().startswith(("e4m3", "e5m2", "float8"))):
        raise _UnknownSchemeError(f"fmt {shown(fmt)}")
    block = written.get("weight_block_size")
    return "fp8-block" if isinstance(block, list) and block == [128, 128] else "fp8"


def _integers(tool: str) -> Callable[[Mapping[str, Any]], Format]:
    """AWQ, GPTQ and AutoRound: 2 to 8-bit weights in groups; AutoAWQ's own file has other names for the two keys."""

    def read(written: Mapping[str, Any]) -> Format:
        bits = _count(written, "bits", "w_bit")
        if bits not in (2, 3, 4, 8):
            raise _UnknownSchemeError(f"{bits} bits")
        return weight_only(tool, bits, _count(written, "group_size", "q_group_size"), zero=bits)

    return read


def _bitsandbytes(written: Mapping[str, Any]) -> Format:
    """NF4 and FP4 in groups of 64 with a 32-bit maximum, or 8 bits of it in double quantization; LLM.int8."""
    four = written.get("load_in_4bit", written.get("_load_in_4bit"))
    eight = written.get("load_in_8bit", written.get("_load_in_8bit"))
    if bool(four) == bool(eight):
        raise _UnknownSchemeError("one of load_in_4bit and load_in_8bit must be true")
    if eight:
        return "w8a8-int8"
    double = bool(written.get("bnb_4bit_use_double_quant"))
    # each 256 of the 8-bit maxima share a 32-bit one
    tool = "bitsandbytes-double" if double else "bitsandbytes"
    return weight_only(tool, 4, 64, zero=0, scale=8 + 32 / 256 if double else 32)


def _mxfp4(_: Mapping[str, Any]) -> Format:
    """Open Compute microscaling: 4-bit floats, an 8-bit exponent for 32 of them."""
    return "mxfp4"


def _bitnet(_: Mapping[str, Any]) -> Format:
    """Ternary weights, four in a byte, and 8-bit activations."""
    return "bitnet"


def _modelopt(written: Mapping[str, Any]) -> Format:
    """NVIDIA Model Optimizer."""
    algorithm = written.get("quant_algo")
    name = algorithm.upper() if isinstance(algorithm, str) else ""
    if name in ("FP8", "FP8_PER_CHANNEL_PER_TOKEN"):
        return "fp8"
    if name in ("NVFP4", "NVFP4_AWQ"):
        return "nvfp4"
    if name == "W8A8_SQ_PER_CHANNEL":
        return "w8a8-int8"
    if name == "FP8_PB_WO":
        return weight_only("modelopt", 8, None, zero=0, flops=1)
    if name in ("W4A16_AWQ", "W4A8_AWQ"):
        group = _count(written, "group_size") or 128
        return weight_only("modelopt", 4, group, zero=0, activations="fp8" if name == "W4A8_AWQ" else "bf16")
    raise _UnknownSchemeError(MIXED if name == "MIXED_PRECISION" else f"quant_algo {shown(algorithm)}")


def _compressed_tensors(written: Mapping[str, Any]) -> Format:
    """compressed-tensors: groups of layers, which must all have one format to be one."""
    groups = written.get("config_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise _UnknownSchemeError("config_groups is missing")
    formats = [_compressed_group(group, written.get("format")) for group in groups.values()]
    if any(one != formats[0] for one in formats):
        raise _UnknownSchemeError(MIXED)
    return formats[0]


def _compressed_group(group: object, packing: object) -> Format:
    """Format of one group of layers."""
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(group, Mapping) or not isinstance(weights, Mapping):
        raise _UnknownSchemeError("a group of layers without weights")
    inputs = _activations(group.get("input_activations"))
    kind, bits = weights.get("type"), weights.get("num_bits")
    if kind == "float" and bits == 8:
        return "fp8" if inputs == "fp8" else _refused_or(inputs, 8, None, 0, flops=1)
    if kind == "float" and bits == 4:
        if (group.get("format") or packing) != "nvfp4-pack-quantized":
            raise _UnknownSchemeError("4-bit floats that are not packed as nvfp4")
        return "nvfp4" if inputs == "fp4" else _refused_or(inputs, 4, 16, 0, scale=8)
    if kind == "int" and bits == 8 and inputs == "int8":
        return "w8a8-int8"
    if kind == "int" and bits in (2, 3, 4, 8):
        zero = 0 if weights.get("symmetric", True) else bits
        return _refused_or(inputs, bits, _count(weights, "group_size"), zero)
    raise _UnknownSchemeError(f"{shown(bits)}-bit weights of type {shown(kind)}")


def _activations(inputs: object) -> str:
    """Compute dtype that a group's activations have."""
    if inputs is None:
        return "bf16"
    found = None
    if isinstance(inputs, Mapping):
        kind, bits = inputs.get("type"), inputs.get("num_bits")
        if isinstance(kind, str) and isinstance(bits, int):
            found = {("float", 8): "fp8", ("int", 8): "int8", ("float", 4): "fp4"}.get((kind, bits))
    if found is None:
        raise _UnknownSchemeError(f"input activations {shown(inputs)}")
    return found


def _refused_or(inputs: str, bits: float, group: int | None, zero: float, scale: float = 16, flops: int = 2) -> Format:
    """A weight-only format, unless activations are narrower than the weights."""
    if inputs == "fp4" or (inputs == "int8" and bits == 8):
        raise _UnknownSchemeError(f"{bits:g}-bit weights with {inputs} activations")
    return weight_only("compressed", bits, group, zero, scale, inputs, flops)


METHODS: dict[str, Callable[[Mapping[str, Any]], Format]] = {
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "compressed-tensors": _compressed_tensors,
    "awq": _integers("awq"),
    "gptq": _integers("gptq"),
    "auto-round": _integers("auto-round"),
    "bitsandbytes": _bitsandbytes,
    "mxfp4": _mxfp4,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "bitnet": _bitnet,
}
"""Supported values of ``quant_method``; each gives the weight format."""

FORMATS = (
    "fp8",
    "int8 weights and activations",
    "2 to 8-bit integer weights in groups",
    "nvfp4",
    "mxfp4",
    "nf4",
)
"""What a quantization may be, in words."""
