"""Keys of a Hugging Face ``config.json``: read with their faults gathered, and none that may shape it ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmperf.descriptors.fields import Count
from llmperf.errors import Problem, nearest, shown

SHAPE_WORDS = (
    "expert",
    "head",
    "layer",
    "hidden",
    "intermediate",
    "window",
    "rank",
    "state",
    "moe",
    "mlp",
    "vocab",
)
"""A key with one of these in its name may change the shape: it must be understood, or be listed as irrelevant."""

FOREIGN_WORDS = (
    "expert",
    "window",
    "rank",
    "state",
    "moe",
    "ssm",
    "conv",
    "mamba",
    "linear_attn",
    "linear_attention",
    "lightning",
    "sparse",
    "lora",
    "recurrent",
    "delta",
    "cross_attention",
    "cross_layer",
    "perceiver",
    "resampler",
    "qformer",
    "pronunciation",
    "encoder_layers",
    "block_type",
    "layer_type",
    "layers_block",
    "pattern",
    "nextn",
    "index_topk",
    "altup",
    "laurel",
    "per_layer",
    "cycles",
    "codebook",
    "loop",
    "embedding_size",
    "encoder_layers",
    "mem_len",
    "engram",
    "ngram",
    "ple_",
    "compress",
    "kv_source",
    "cca_",
)
"""A key with one of these speaks of a part that a plain decoder does not have."""

IRRELEVANT = frozenset(
    {
        "cross_attention_hidden_size",
        "embed_layer_norm_eps",
        "hidden_act",
        "hidden_activation",
        "hidden_dropout",
        "hidden_dropout_prob",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "layernorm_epsilon",
        "layerdrop",
        "lm_head_multiplier",
        "output_hidden_states",
        "output_past",
        "output_router_logits",
        "pruned_heads",
        "residual_in_fp32",
        "scale_attn_by_inverse_layer_idx",
    }
)
"""Keys that hold such a word but change neither parameters nor operations."""


FEW = 3
"""Missing keys that are named one by one: more of them are no slip of a pen, and one line says so."""

HOW = "write its shape as a descriptor: docs/how-to/add-a-model"


def printable(text: str | None) -> str:
    """`text` as a name may hold it: one printable line, its end kept when it is long."""
    return "".join(c if c.isprintable() else "?" for c in text or "")[-150:].strip()


@dataclass(slots=True)
class Reader:
    """Reads keys, remembers which are known, and gathers problems instead of stopping at the first.

    Parameters
    ----------
    config : mapping
        The keys.
    file : str or None
        Where they were read, for messages.
    prefix : str
        Path of a nested mapping, put before its keys in messages.
    """

    config: Mapping[str, Any]
    file: str | None
    prefix: str = ""
    architecture: str = ""
    known: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def nested(self, key: str) -> Reader:
        """Reader of the mapping under `key`, with the same lists of faults."""
        inner = self.mapping(key)
        path = f"{self.prefix}{key}."
        return Reader(inner, self.file, path, self.architecture, set(), self.missing, self.problems, self.warnings)

    def problem(self, path: str, message: str, allowed: tuple[str, ...] = (), suggestion: str | None = None) -> None:
        """Note one fault."""
        self.problems.append(Problem(message, self.prefix + path, self.file, allowed=allowed, suggestion=suggestion))

    def warn(self, key: str, message: str) -> None:
        """Note what was assumed or left out."""
        self.warnings.append(f"{self.prefix}{key}: {message}")

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.config.get(key) is not None

    def ignore(self, *keys: str) -> None:
        """Mark keys as understood although they do not count here."""
        self.known.update(keys)

    def is_null(self, key: str) -> bool:
        """Whether `key` is written as null, which transformers tells from an absent key."""
        return key in self.config and self.config[key] is None

    def optional(self, key: str, least: int = 1) -> int | None:
        """Whole number under `key`; None when the key is absent, null or wrong (and the fault noted)."""
        self.known.add(key)
        value = self.config.get(key)
        if value is None:
            return None
        try:
            return int(Count(least).check(value))
        except ValueError as error:
            self.problem(key, str(error))
            return None

    def whole(self, key: str, *others: str, least: int = 1) -> int:
        """Required whole number under `key`, or under one of its `others` names in transformers' attribute map."""
        found = [name for name in (key, *others) if self.has(name)]
        self.ignore(key, *others)
        if not found:
            self.missing.append(self.prefix + key)
            return max(least, 1)
        values = [self.optional(name, least) for name in found]
        if len({value for value in values if value is not None}) > 1:
            self.problem(found[1], f"{values[1]} contradicts {found[0]} {values[0]}")
        return values[0] if values[0] is not None else max(least, 1)

    def default(self, key: str, value: int, *others: str, least: int = 1) -> int:
        """Whole number under `key` or one of `others`; transformers' class default, with a warning, when absent."""
        if any(self.has(name) for name in (key, *others)):
            return self.whole(key, *others, least=least)
        self.ignore(key, *others)
        self.warn(key, f"not given; {value} is taken, as transformers does")
        return value

    def switch(self, key: str, default: bool) -> bool:
        """True or false under `key`."""
        self.known.add(key)
        value = self.config.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problem(key, f"{shown(value)} must be true or false")
            return default
        return value

    def text(self, key: str) -> str | None:
        """Text under `key`."""
        self.known.add(key)
        value = self.config.get(key)
        if value is not None and not isinstance(value, str):
            self.problem(key, f"{shown(value)} is not a text")
            return None
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Mapping under `key`, empty when absent or null."""
        self.known.add(key)
        value = self.config.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.problem(key, f"{shown(value)} is not a mapping")
        return value if isinstance(value, Mapping) else {}

    def numbers(self, key: str, least: int = 0) -> list[int] | None:
        """List of whole numbers under `key`; None when absent, null or wrong (and the fault noted)."""
        self.known.add(key)
        value = self.config.get(key)
        if value is None:
            return None
        if not isinstance(value, list):
            self.problem(key, f"{shown(value)} is not a list")
            return None
        try:
            return [int(Count(least).check(item)) for item in value]
        except ValueError as error:
            self.problem(key, str(error))
            return None

    def must_be(self, key: str, wanted: bool, default: bool, why: str) -> None:
        """Refuse a switch that the model descriptor cannot express."""
        if self.switch(key, default) is not wanted:
            self.problem(key, f"{str(not wanted).lower()} is not modelled: {why}")

    def no_bias(self, *keys: str) -> None:
        """Warn of bias switches that this family's class in transformers does not read."""
        for key in keys:
            if self.switch(key, False):
                self.warn(key, f"{self.architecture} of transformers has no such bias; none is counted")

    def strangers(self, words: tuple[str, ...] = SHAPE_WORDS + FOREIGN_WORDS) -> list[str]:
        """Keys that hold one of `words` and are neither understood nor irrelevant."""
        keys = [key for key in self.config if isinstance(key, str) and key not in self.known | IRRELEVANT]
        return [key for key in keys if any(word in key.lower() for word in words)]


def unknown_keys(read: Reader, moe: bool) -> None:
    """Name every key that may shape the model and was not understood: faults when something is missing, else warnings.

    A dense family with keys of experts is always a fault: its counts would be those of another model.
    """
    strangers = read.strangers()
    if len(read.missing) > FEW and not read.problems:
        said = f"it lacks {', '.join(dict.fromkeys(read.missing))}, which {read.architecture} needs"
        read.problem("", said, suggestion=HOW)
        return
    for key in read.missing:
        near = nearest(key, strangers)
        hint = f"is it written {near} here?" if near else None
        read.problem(key, f"is missing, and {read.architecture} needs it", suggestion=hint)
    for key in strangers:
        near = nearest(key, read.missing) or nearest(key, read.known)
        if not moe and any(word in key.lower() for word in ("expert", "moe")) and read.config[key]:
            read.problem(printable(key), f"{read.architecture} is modelled as dense, but this key speaks of experts")
        elif read.missing:
            read.problem(printable(key), "is not understood, and may change the shape", (near,) if near else (), near)
        elif read.config[key] not in (None, False) and read.config[key] != []:
            like = f"; the nearest known key is {near}" if near else ""
            read.warn(printable(key), f"not understood and left out, but may change the shape{like}")
