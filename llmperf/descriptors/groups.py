"""Layers of a model by the attention that they have: one shape for all of them, or several."""

from __future__ import annotations

from dataclasses import replace

from llmperf.descriptors.layers import Attention
from llmperf.descriptors.model import Model
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Attention layers of one shape.

    Attributes
    ----------
    model : Model
        The model as if all its attention layers were of this shape.
    layers, windowed : float
        Layers of the group, and those of them with a window. [1]
    prefix : str
        What names its operators beside those of other groups.
    keeps : bool
        Whether its layers have keys and values of their own.
    """

    model: Model
    layers: float
    windowed: float
    prefix: str = ""
    keeps: bool = True


def groups(model: Model) -> tuple[Group, ...]:
    """The attention layers of a model, group by group; those without a window come first."""
    attention = model.attention
    if attention is None:
        return ()
    windowed = attention.windowed_layers
    if attention.windowed is None and not (attention.reusing_layers or attention.reusing_windowed):
        return (Group(model, model.attention_layers, windowed),)
    wide = _all(model, replace(attention, windowed=None, window=None, windowed_layers=0))
    narrow = _all(model, _narrow(attention))
    full = model.attention_layers - windowed
    found = (
        Group(wide, full - attention.reusing_layers, 0),
        Group(narrow, windowed - attention.reusing_windowed, windowed - attention.reusing_windowed, "windowed_"),
        Group(wide, attention.reusing_layers, 0, "reusing_", keeps=False),
        Group(narrow, attention.reusing_windowed, attention.reusing_windowed, "windowed_reusing_", keeps=False),
    )
    return tuple(group for group in found if group.layers)


def _narrow(attention: Attention) -> Attention:
    """Attention of the layers with a window."""
    own = attention.windowed
    if own is None:
        return attention
    return replace(
        attention,
        heads=own.heads,
        kv_heads=own.kv_heads,
        head_dim=own.head_dim,
        v_head_dim=own.v_head_dim,
        sinks=own.sinks,
        windowed=None,
        shared_kv=False,
    )


def _all(model: Model, attention: Attention) -> Model:
    return replace(model, attention=replace(attention, reusing_layers=0, reusing_windowed=0))
