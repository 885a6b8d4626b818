"""Rooflines on a terminal: a plot of braille dots on logarithmic axes, and the operators below it as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from llmperf.answers.rooflines import STEP, Feed, Peak, Point, Roofline
from llmperf.interfaces.console.style import WIDTH, bar, console, drawing, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.outputs import PHASES
from llmperf.resources import MAIN
from llmperf.words.quantities import count, quantity, share

_HEIGHT, _WIDEST = 20, 240
"""Lines of the plot, and the most columns of a terminal that it makes use of."""
_MARGIN = 11
_NAME = 16
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LISTED = 8
"""Operators of a phase that are drawn and listed; the smaller ones are left to ``--json``."""
_SMALL = 0.005
"""Share of a phase below which an operator is left out. [1]"""
_BLANK = "\u2800"
_COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
_DASHES = ((1, 0), (5, 4), (2, 3), (1, 3), (8, 3), (1, 6))
"""Dots drawn and dots left out, of the ceilings of each configuration: what colour says, too."""


def show(found: list[Roofline]) -> None:
    """Print the ceilings and what runs below them."""
    out = console()
    listed = [_listed(one) for one in found]
    marks = _marks(listed)
    for line in _drawn(found, listed, marks, min(out.width, _WIDEST)):
        out.print(line)
    out.print()
    for index, one in enumerate(found):
        if len(found) > 1:
            out.print(f"{bold(text(one.label))}{_key(index)}")
        out.print(_ceilings(one))
        if listed[index]:
            out.print(_operators(one, listed[index], marks, out.width >= WIDTH))
        if index + 1 < len(found):
            out.print()


def _listed(one: Roofline) -> list[Point]:
    """The points that a picture has room for, by phase, the slowest first."""
    found: list[Point] = []
    for phase in dict.fromkeys(point.phase for point in one.points):
        mine = [point for point in one.points if point.phase == phase]
        found += [point for point in mine if point.name != STEP and point.share >= _SMALL][:_LISTED]
        found += [point for point in mine if point.name == STEP]
    return found


def _marks(listed: list[list[Point]]) -> dict[tuple[str, str], str]:
    """A letter for each operator, a capital one in the first of two phases, and the sign of the whole step.

    Of more phases than two, each further pair has letters of its own.
    """
    order = list(PHASES)
    points = [point for points in listed for point in points]
    pairs = dict.fromkeys((point.name, order.index(point.phase) // 2) for point in points if point.name != STEP)
    letters = dict(zip(pairs, _LETTERS, strict=False))
    marks = {}
    for point in points:
        place = order.index(point.phase)
        letter = letters.get((point.name, place // 2), "+")
        mark = PHASES[point.phase].mark if point.name == STEP else letter if place % 2 else letter.upper()
        marks[point.name, point.phase] = mark
    return marks


def _key(index: int) -> str:
    """How the lines of a configuration are drawn."""
    drawn, left = _DASHES[index % len(_DASHES)]
    return f" ({'whole' if not left else 'dotted' if drawn == 1 else 'dashed'} lines)"


class _Window:
    """The part of the plane that is shown: whole decades of intensity, and of rate what is needed."""

    def __init__(self, found: list[Roofline], points: list[Point]) -> None:
        peaks = [peak.flops_per_s for one in found for peak in one.drawn]
        main = [feed.bytes_per_s for one in found for feed in one.feeds if feed.resource == MAIN]
        ridges = [peak / feed for peak in peaks for feed in main]
        intensities = [point.intensity for point in points] + ridges
        self.left = math.floor(math.log10(min(0.9, *intensities)))
        self.right = math.ceil(math.log10(max(intensities) * 1.5))
        lowest = min([point.flops_per_s for point in points] + [min(main) * 10.0**self.left * 2.0])
        self.top = math.log10(max(peaks)) + 0.35
        self.bottom = min(math.log10(lowest) - 0.2, math.log10(min(peaks)) - 0.5)


def _drawn(
    found: list[Roofline], listed: list[list[Point]], marks: dict[tuple[str, str], str], width: int
) -> Iterator[str]:
    """The lines of the plot."""
    from plotille import Canvas

    window = _Window(found, [point for points in listed for point in points])
    canvas = Canvas(width - _MARGIN - 1, _HEIGHT, window.left, window.bottom, window.right, window.top, mode="names")
    for index, one in enumerate(found):
        _lines(canvas, window, one, index)
    taken = {_cell(canvas, *_place(point)) for points in listed for point in points}
    for index, one in enumerate(found):
        _labels(canvas, window, one, _COLOURS[index % len(_COLOURS)] if len(found) > 1 else None, taken)
    for index, points in enumerate(listed):
        for point in reversed(points):
            colour = _COLOURS[index % len(_COLOURS)] if len(found) > 1 else None
            canvas.point(*_place(point), color=colour, marker=marks[point.name, point.phase])
    rows = canvas.plot().replace(_BLANK, " ").split("\n")
    ticks = _ticks(window)
    yield bold("FLOP/s of one device, by operations a byte")
    for index, row in enumerate(rows):
        label = ticks.get(len(rows) - 1 - index, "")
        edge = "┤" if label else "│"
        yield drawing(f"{label:>{_MARGIN}}{edge}") + drawing(row)
    yield drawing(_axis(window, width - _MARGIN - 1))


def _place(point: Point) -> tuple[float, float]:
    """Where a point lies on logarithmic axes."""
    return math.log10(point.intensity), math.log10(point.flops_per_s)


def _cell(canvas: Any, x: float, y: float) -> tuple[int, int]:
    """Row and column of a place; a character is two dots wide and four high."""
    right, up = canvas.dots_between(canvas.xmin, canvas.ymin, x, y)
    return up // 4, right // 2


def _lines(canvas: Any, window: _Window, one: Roofline, index: int) -> None:
    """The ceilings of one device: peaks from where the fastest memory reaches them, memories up to the highest peak."""
    colour = _COLOURS[index % len(_COLOURS)]
    highest = max(peak.flops_per_s for peak in one.drawn)
    fastest = max(feed.bytes_per_s for feed in one.feeds)
    for feed in one.feeds:
        rate = math.log10(feed.bytes_per_s)
        begin, end = max(window.left, window.bottom - rate), min(window.right, math.log10(highest) - rate)
        if begin < end:
            _dashed(canvas, begin, begin + rate, end, end + rate, index, colour)
    for peak in one.drawn:
        level = math.log10(peak.flops_per_s)
        begin = max(window.left, level - math.log10(fastest))
        _dashed(canvas, begin, level, window.right, level, index, colour)


def _dashed(canvas: Any, x0: float, y0: float, x1: float, y1: float, index: int, colour: str) -> None:
    """A line of dots with the gaps of a configuration."""
    drawn, left = _DASHES[index % len(_DASHES)]
    steps = max(map(abs, canvas.dots_between(x0, y0, x1, y1)))
    for step in range(steps + 1):
        if step % (drawn + left) < drawn:
            part = step / max(steps, 1)
            canvas.point(x0 + part * (x1 - x0), y0 + part * (y1 - y0), color=colour)


def _labels(canvas: Any, window: _Window, one: Roofline, colour: str | None, taken: set[tuple[int, int]]) -> None:
    """Names of the ceilings, each in the first free place along its line.

    Those of peaks stand above it and begin at the right, those of memories below it and begin at the left.
    """
    wide = (window.right - window.left) / canvas.width
    high = (window.top - window.bottom) / canvas.height

    def put(words: str, places: Iterator[tuple[float, float]]) -> None:
        for x, y in places:
            row, column = _cell(canvas, x, y)
            cells = {(row, column + position) for position in range(-1, len(words) + 1)}
            inside = 0 <= row < canvas.height and column >= 0 and column + len(words) <= canvas.width
            if inside and not cells & taken:
                break
        else:
            return
        taken.update(cells)
        for position, character in enumerate(words):
            at = window.left + (column + position + 0.5) * wide
            canvas.point(at, y, color=colour, marker=character)

    for peak in one.drawn:
        words, level = peak_label(peak), math.log10(peak.flops_per_s)
        put(words, ((window.right - (len(words) + step) * wide, level + high) for step in range(0, canvas.width, 4)))
    for feed in one.feeds:
        rate = math.log10(feed.bytes_per_s)
        begin = max(window.left, window.bottom - rate)
        below = ((begin + step * wide, begin + rate + step * wide - 1.2 * high) for step in range(2, canvas.width, 4))
        put(feed_label(feed), below)


def peak_label(peak: Peak) -> str:
    """A peak in words: ``bf16, fp16 989 TFLOP/s``."""
    return f"{peak.label} {quantity(peak.flops_per_s, 'compute')}"


def feed_label(feed: Feed) -> str:
    """A memory or link in words: ``hbm 3.35 TB/s``."""
    return f"{feed.name} {quantity(feed.bytes_per_s, 'bandwidth')}"


def _ticks(window: _Window) -> dict[int, str]:
    """Row from below -> label, of the decades of the rate."""
    found = {}
    for decade in range(math.ceil(window.bottom), math.floor(window.top) + 1):
        row = int((decade - window.bottom) / (window.top - window.bottom) * _HEIGHT)
        found[row] = quantity(10.0**decade, "compute").removesuffix("FLOP/s").strip()
    return found


def _axis(window: _Window, width: int) -> str:
    """The horizontal axis with its decades."""
    line, names = ["─"] * width, [" "] * (width + 8)
    for decade in range(window.left, window.right + 1):
        column = min(round((decade - window.left) / (window.right - window.left) * width), width - 1)
        line[column] = "┴"
        name = f"{10.0**decade:,g}" if decade >= 0 else f"{10.0**decade:g}"
        begin = min(max(column - len(name) // 2, 0), width - len(name))
        names[begin : begin + len(name)] = name
    return " " * _MARGIN + "└" + "".join(line) + "\n" + " " * (_MARGIN + 1) + "".join(names)[:width].rstrip()


def _ceilings(one: Roofline) -> Any:
    """Ridge points: the operations a byte from which a memory or link no longer limits each peak."""
    made = table("FLOP a byte to reach", *(text(feed.name) for feed in one.feeds))
    made.columns[0].folds = False
    made.add_row("B/s", *(quantity(feed.bytes_per_s, "bandwidth").removesuffix("B/s") for feed in one.feeds))
    for peak in one.drawn:
        made.add_row(text(peak_label(peak)), *(count(peak.flops_per_s / feed.bytes_per_s) for feed in one.feeds))
    return made


def _operators(one: Roofline, points: list[Point], marks: dict[tuple[str, str], str], wide: bool) -> Any:
    bars = ("",) if wide else ()
    made = table("", "operator", "FLOP/B", "FLOP/s", "of roof", "time", "share", *bars, "limited by", left=2)
    made.columns[0].folds, made.columns[1].least = False, _NAME
    for column in made.columns[7:]:
        column.right = False
    feeds = {feed.resource: feed.name for feed in one.feeds}
    before = ""
    for point in points:
        if before and before != point.phase:
            made.add_section()
        before = point.phase
        name = f"{point.phase}, {feeds.get(point.resource, point.resource)}" if point.name == STEP else point.name
        made.add_row(
            marks[point.name, point.phase],
            text(name),
            count(point.intensity),
            quantity(point.flops_per_s, "compute").removesuffix("FLOP/s"),
            point.of_roof,
            quantity(point.time_s, "time"),
            share(point.share),
            *((bar(point.share, 8),) if wide else ()),
            point.limited_by,
        )
    return made
