"""How figures look: colours that the colour-blind can tell apart, in light and in dark, and one layout for all."""

from __future__ import annotations

from typing import Any

from llmperf.outputs import PHASES
from llmperf.resources import CAPACITY, COMPUTE, HOST, LATENCY, LINKS, MEMORIES, RESOURCES

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW, GREY = "#56B4E9", "#D55E00", "#F0E442", "#8A8A8A"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, GREY, YELLOW)
"""Colours in the order that series take them: Okabe and Ito, "Color universal design", 2008, with a grey that shows on
white and on black alike in place of black."""
COLORS = {
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "purple": PURPLE,
    "sky": SKY,
    "vermilion": VERMILION,
    "yellow": YELLOW,
    "grey": GREY,
}
"""The same by the names that phases have them by (`llmperf.outputs.PhaseKind`)."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon", "x")
"""Markers in the same order: no series is known by its colour alone."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PATTERNS = ("", "/", ".", "x", "\\", "-", "+", "|")
"""Fill patterns in the same order."""

DEFINITIONS = {"bound": GREY, "roofline": SKY, "projection": BLUE}
LIMITS = {
    COMPUTE: (VERMILION, ""),
    MEMORIES: (BLUE, "/"),
    LINKS: (GREEN, "."),
    HOST: (PURPLE, "x"),
    LATENCY: (ORANGE, "\\"),
    CAPACITY: (GREY, "-"),
}
"""Colour and pattern of what limits, by the colour of its row in `llmperf.resources.RESOURCES`."""

HEIGHT = 440
"""Height of a figure. [px]"""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def series(index: int) -> dict[str, str]:
    """Colour, symbol and dash of a series."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "symbol": SYMBOLS[index % len(SYMBOLS)],
        "dash": DASHES[index % len(DASHES)],
    }


def filled(color: str, pattern: str) -> dict[str, Any]:
    """A marker of bars: its colour with a pattern over it, faint enough to read text on."""
    shape = {
        "shape": pattern,
        "fillmode": "overlay",
        "size": 7,
        "fgcolor": "#FFFFFF",
        "fgopacity": 0.35,
        "solidity": 0.2,
    }
    return {"color": color, "pattern": shape}


def ink(color: object) -> str:
    """The colour of text on a fill: white on the one dark colour of the palette, else near black."""
    return "#FFFFFF" if color == BLUE else "#111111"


def phase(name: str) -> dict[str, str]:
    """Colour and symbol of a phase: what its row says, else by its place among the phases."""
    look = series(list(PHASES).index(name))
    return {"color": COLORS.get(PHASES[name].color, look["color"]), "symbol": look["symbol"]}


def limited(name: str) -> dict[str, Any]:
    """A marker of bars for what limits."""
    return filled(*LIMITS.get(RESOURCES[name].color, (GREY, "")))


def template(dark: bool = False) -> dict[str, Any]:
    """Everything of a layout that all figures share."""
    ink, soft, grid, paper = (
        ("#E8E8EA", "#B4B4BA", "#3A3A40", "#1B1B1F") if dark else ("#1B1B1F", "#55555C", "#E2E2E6", "#FFFFFF")
    )
    axis = {
        "automargin": True,
        "gridcolor": grid,
        "linecolor": soft,
        "zerolinecolor": grid,
        "tickcolor": soft,
        "ticks": "outside",
        "ticklen": 4,
        "showline": True,
        "title": {"standoff": 10, "font": {"size": 13}},
        "exponentformat": "SI",
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": ink},
            "colorway": list(PALETTE),
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "margin": {"l": 16, "r": 24, "t": 16, "b": 16},
            "xaxis": axis,
            "yaxis": axis,
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": paper,
                "bordercolor": soft,
                "align": "left",
                "font": {"family": FONT, "size": 13, "color": ink},
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "bgcolor": "rgba(0,0,0,0)",
                "traceorder": "normal",
                "title": {"font": {"size": 13}},
            },
            "bargap": 0.35,
            "hoverdistance": 30,
        }
    }
