"""Memory of one device by class, beside what it has, against batch and context."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing, Results, drawing, folded, hover, knobs_said, label, new
from llmperf.outputs import MEMORY_CLASSES
from llmperf.words.labels import KNOBS
from llmperf.words.quantities import GIB, count, gib


def memory(results: Results) -> Drawing:
    """What the fullest device holds, one bar a result, beside what it has.

    Parameters
    ----------
    results : mapping of str to Answer
        By label; each of one configuration.
    """
    figure = new(130 + 52 * len(results))
    names = [folded(name) for name in results]
    for index, output in enumerate(_classes(results)):
        values = [getattr(result.memory, output.name) for result in results.values()]
        figure.add_bar(
            x=[value / GIB for value in values],
            y=names,
            orientation="h",
            name=output.label,
            marker=theme.filled(theme.PALETTE[index], theme.PATTERNS[index]),
            hovertext=[
                hover(f"<b>{label(name)}</b>", f"{output.label}: {gib(value)} GiB")
                for name, value in zip(results, values, strict=True)
            ],
            hoverinfo="text",
        )
    for what, color in (("usable", theme.GREY), ("capacity", theme.VERMILION)):
        values = [getattr(result.memory, what) for result in results.values()]
        figure.add_scatter(
            x=[value / GIB for value in values],
            y=names,
            mode="markers",
            name=what,
            marker={"symbol": "line-ns-open", "size": 30, "color": color, "line": {"width": 3}},
            hovertext=[f"{what}: {gib(value)} GiB" for value in values],
            hoverinfo="text",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title_text="memory of one device [GiB]", rangemode="tozero")
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, showticklabels=len(results) > 1)
    caption = (
        "What the fullest device holds of the requested workload; marks show the part that may be used and all of it."
    )
    head = (
        "configuration",
        *(f"{one.label} [GiB]" for one in MEMORY_CLASSES),
        "required",
        "usable",
        "capacity",
        "fits",
    )
    rows = [_row(name, result) for name, result in results.items()]
    return drawing("memory", "Memory of one device", caption, figure, head, rows)


def _classes(results: Results) -> list[Any]:
    return [one for one in MEMORY_CLASSES if any(np.any(getattr(r.memory, one.name)) for r in results.values())]


def _row(name: str, result: Answer) -> tuple[str, ...]:
    parts = (*(one.name for one in MEMORY_CLASSES), "required", "usable", "capacity")
    return (name, *(gib(getattr(result.memory, part)) for part in parts), "yes" if result.memory.fits else "no")


def memory_against(sweep: Sweep, own: float | None = None) -> Drawing:
    """Memory by class along one knob, with the lines of what may be used and of what there is.

    Parameters
    ----------
    sweep : Sweep
        Of one knob, its values rising (`llmperf.answers.sweep.against`).
    own : float, optional
        The scenario's own value, which is marked.
    """
    (knob, values), held = next(iter(sweep.knobs.items())), sweep.result.memory
    figure = new()
    for index, output in enumerate(_classes({"": sweep.result})):
        part = np.broadcast_to(getattr(held, output.name), values.shape)
        figure.add_scatter(
            x=values,
            y=part / GIB,
            mode="lines",
            stackgroup="memory",
            name=output.label,
            line={"width": 0.5, "color": theme.PALETTE[index]},
            fillpattern=theme.filled("", theme.PATTERNS[index])["pattern"],
            hovertext=[
                hover(f"<b>{label(knobs_said(sweep, i))}</b>", f"{output.label}: {gib(value)} GiB", _state(held, i))
                for i, value in enumerate(part)
            ],
            hoverinfo="text",
        )
    ends = [values[0], values[-1]]
    for what, color, dash in (("usable", theme.GREY, "dash"), ("capacity", theme.VERMILION, "solid")):
        level = float(np.asarray(getattr(held, what)).reshape(-1)[0]) / GIB
        line = {"color": color, "dash": dash, "width": 2}
        figure.add_scatter(x=ends, y=[level, level], mode="lines", name=what, line=line, hoverinfo="name+y")
    if own is not None:
        figure.add_vline(x=own, line={"color": theme.GREY, "dash": "dot", "width": 1.5})
    kind = "linear" if knob == "request_rate" else "log"
    figure.update_xaxes(type=kind, title_text=label(KNOBS.get(knob, knob)))
    figure.update_yaxes(title_text="memory of one device [GiB]", range=_height(held))
    caption = (
        f"Memory of one device against {knob}; dotted: the scenario itself. Where it grows over the dashed line, it "
        "does not fit."
    )
    head = (knob, *(f"{one.label} [GiB]" for one in MEMORY_CLASSES), "required", "usable", "capacity", "fits")
    rows = [_row_at(held, i, count(value)) for i, value in enumerate(values)]
    return drawing(f"memory-{knob}", f"Memory against {knob}", caption, figure, head, rows)


def _height(held: Any) -> list[float]:
    """From nothing to what is seen of a workload that outgrows the device."""
    top = float(np.max(held.capacity))
    return [
        0.0,
        min(float(np.max(held.required)), 1.6 * top) / GIB if np.max(held.required) > top else 1.08 * top / GIB,
    ]


def _state(held: Any, index: int) -> str:
    needed = f"{gib(held.required[index])} of {gib(held.usable[index])} GiB"
    return needed if held.fits[index] else f"{needed}: does not fit"


def _row_at(held: Any, index: int, said: str) -> tuple[str, ...]:
    parts = (*(one.name for one in MEMORY_CLASSES), "required", "usable", "capacity")
    return (said, *(gib(getattr(held, part)[index]) for part in parts), "yes" if held.fits[index] else "no")
