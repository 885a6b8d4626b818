"""What makes the difference between two configurations, in words with their numbers.

Everything said is read from a `llmperf.answers.differences.Difference`; its names have their labels in
`llmperf.words.labels`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llmperf.answers.differences import (
    Change,
    Difference,
    Part,
    PartChange,
    PhaseChange,
    Wait,
    load,
    unit,
)
from llmperf.outputs import CAPACITY, MEMORY_CLASSES, by_path
from llmperf.resources import FLOPS, MAIN, MEMORIES, kind_of
from llmperf.words.labels import CAPACITIES, WORKLOAD, part_label, quantity_label, resource_label, wait_label
from llmperf.words.quantities import GIB, arrow, measured, times
from llmperf.words.tables import compared

if TYPE_CHECKING:
    from llmperf.answers.answer import Answer
    from llmperf.answers.comparison import Comparison

WHOLE = "batch"
"""What needs no saying that a time is of."""
MOST = "output_tokens_per_s"
"""The output that says most of a change, where the question has it; else its first."""
SERVES = "saturation_rate_per_s"
"""An output of services alone."""
MENTIONED = 0.01
"""Smallest change that is said: of a phase, of the memory, of a quantity. [1]"""
PARTS_SAID = 5
"""Parts of a phase that are said one by one; the others come together."""
RATE = 0.1
"""Smallest change of a rate, or of work that changes no time, that is said. [1]"""
LARGE = 0.2
"""Share of a phase from which on a part is worth saying that its time did not change, though its work did. [1]"""


def explained(difference: Difference, results: Sequence[Change]) -> list[str]:
    """Sentences on a difference, the most important first.

    Parameters
    ----------
    difference : Difference
    results : sequence of Change
        Outputs by their paths, in SI units, those that say most; of a static batch output tokens per second alone.

    Returns
    -------
    list of str
        ``no difference`` where nothing differs.
    """
    if not _differs(difference, results):
        return ["no difference"]
    found = [_throughput(results[0])] if len(results) == 1 else list(_results(results))
    if difference.workload:
        found[0] += "; " + ", ".join(
            f"{WORKLOAD.get(one.name, one.name)} {_arrow(one, '1')}" for one in difference.workload
        )
    for phase in difference.phases:
        found += _phase(phase)
    if difference.capacity:
        found += _memory(difference)
    return found


def _throughput(rate: Change) -> str:
    output, ratio = by_path()[rate.name], rate.after / rate.before
    return f"{output.label} {_arrow(rate, '1')}: {times(ratio if output.better == 'higher' else 1.0 / ratio)}"


def _results(results: Sequence[Change]) -> Iterator[str]:
    """Outputs that changed, those of a unit in a sentence."""
    moved = [one for one in results if not one.relative < MENTIONED]  # what becomes endless has no relative change
    for unit_ in dict.fromkeys(one.unit for one in moved):
        yield "; ".join(f"{by_path()[one.name].label} {_endless(one)}" for one in moved if one.unit == unit_)
    if not moved:
        yield f"no time and no rate changes by {MENTIONED:.0%}"


def _endless(change: Change) -> str:
    """A change of a time that may be without end."""
    written = "1" if change.unit == "1/s" else change.unit  # labels of rates say what they are of
    if math.isfinite(change.before) and math.isfinite(change.after):
        return arrow(change.before, change.after, written)
    words = (
        measured(value, written) if math.isfinite(value) else "without end" for value in (change.before, change.after)
    )
    return " -> ".join(words)


def _differs(difference: Difference, results: Sequence[Change]) -> bool:
    parts = [part for phase in difference.phases for part in phase.parts]
    changes = [*results, *difference.workload, *difference.memory, *difference.capacity]
    changes += [change for part in parts for change in (part.time, *part.work)]
    return any(not change.relative <= 1e-9 for change in changes if change.before != change.after)


def _arrow(change: Change, unit: str = "") -> str:
    return arrow(change.before, change.after, unit or change.unit)


def _phase(phase: PhaseChange) -> Iterator[str]:
    """What changed in one phase: its time, its parts, and what it waits for."""
    per = "" if phase.per == WHOLE else f" a {phase.per}"
    smallest = MENTIONED * max(phase.time.before, phase.time.after)
    said = [part for part in phase.parts if abs(part.effect_s) >= smallest][:PARTS_SAID]
    if phase.time.relative < MENTIONED:
        head = f"{phase.name}: {measured(phase.time.after, 's')}{per}, no change"
    else:
        ratio = phase.time.before / phase.time.after
        faster = f"{times(ratio)} as fast" if ratio >= 1 else f"{times(1 / ratio)} the time"
        head = f"{phase.name}: {_arrow(phase.time)}{per}, {faster}"
    yield f"{head}; {_bound(phase)}"
    for part in said:
        yield f"{phase.name}: {_part(part)}"
    for part in phase.parts:
        if part not in said and (words := _unmoved(part, phase)):
            yield f"{phase.name}: {words}"
    rest = sum(part.effect_s for part in phase.parts if part not in said)
    if abs(rest) >= smallest:
        yield f"{phase.name}: all else {_signed(rest)}"


def _bound(phase: PhaseChange) -> str:
    before, after = phase.longest
    words = [wait_label(one.part, one.resource, one.quantity) for one in (before, after)]
    if words[0] == words[1]:
        return f"still bound by {words[1]} ({_share(after)})"
    return f"now bound by {words[1]} ({_share(after)}), before by {words[0]} ({_share(before)})"


def _share(wait: Wait) -> str:
    return f"{wait.resource}, {wait.share:.0%}"


def _signed(seconds: float) -> str:
    return ("+" if seconds >= 0 else "-") + measured(abs(seconds), "s")


def _part(part: PartChange) -> str:
    """One part: its time, the work that explains it, and the rate of that work."""
    label, before, after = part_label(part.name), part.before, part.after
    if before is None or after is None:
        one = before or after
        assert one is not None
        busy = load(one, one.limit) or load(one, MAIN)
        detail = f" ({quantity_label(busy[0], part.name)} {measured(one.work[busy[0]], unit(busy[0]))})" if busy else ""
        return f"{_signed(part.effect_s)}: {label if after else f'no {label} any more'}{detail}"
    explains, against = _work(part, before, after)
    words = f"{label} {_arrow(part.time)}"
    if explains:
        words += f": {', '.join(explains.values())}"
    elif before.work and not against:
        words += ": the same work"
    if against:
        words += f", although {', '.join(against.values())}"
    main = next(iter(explains), "") or next(iter(load(after, after.limit)), "")
    rate = _rate(before, after, main) if main and main != "operators" else ""
    return words + (f", at {rate}" if rate else "")


def _work(part: PartChange, before: Part, after: Part) -> tuple[dict[str, str], dict[str, str]]:
    """Changes of the work that explain the change in time, and one that would have changed it the other way.

    Words by quantity, the largest first. What a part is busy with explains it; other work only where that did not
    change.
    """
    changed = [one for one in part.work if one.relative >= MENTIONED and not one.name.startswith(FLOPS)]
    changed.sort(key=lambda one: (one.unit, -abs(one.after - one.before)))
    same = {one.name: _said(one, part.name) for one in changed if (one.after > one.before) == (part.effect_s > 0)}
    busy = {name for one in (before, after) for name in load(one, one.limit)}
    found = _products(part, before, after) if any(name.startswith(FLOPS) for name in busy) else {}
    found |= {name: words for name, words in same.items() if name in busy}
    if found:
        return found, {}
    against = {one.name: _said(one, part.name) for one in changed if one.name not in same and one.unit == "B"}
    runs = same.pop("operators", None)
    return same or ({"operators": runs} if runs else {}), dict(list(against.items())[:1])


def _said(change: Change, part: str) -> str:
    return f"{quantity_label(change.name, part)} {_arrow(change)}"


def _products(part: PartChange, before: Part, after: Part) -> dict[str, str]:
    """Products that went to another dtype, or became more or fewer with the time."""
    dtypes = before.products, after.products
    if all(dtypes) and dtypes[0] != dtypes[1]:
        return {FLOPS + dtypes[1]: f"products in {dtypes[0]} -> {dtypes[1]}"}
    change = Change(FLOPS + dtypes[1], "FLOP", *(_amount(one, FLOPS) for one in (before, after)))
    explains = change.relative >= MENTIONED and (change.after > change.before) == (part.effect_s > 0)
    return {change.name: _said(change, part.name)} if explains else {}


def _amount(part: Part, quantity: str) -> float:
    """A quantity of a part; products of all dtypes together."""
    if quantity.startswith(FLOPS):
        return sum(amount for name, amount in part.work.items() if name.startswith(FLOPS))
    return part.work.get(quantity, 0.0)


def _rate(before: Part, after: Part, quantity: str) -> str:
    """At which rates a quantity is worked off; empty where they are alike."""
    written = "FLOP/s" if unit(quantity) == "FLOP" else "B/s"
    rates = Change("rate", written, *(_amount(part, quantity) / part.time_s for part in (before, after)))
    return _arrow(rates) if rates.before and rates.relative >= RATE else ""


def _unmoved(part: PartChange, phase: PhaseChange) -> str:
    """That the time of a large part did not change, though its work did; empty where that cannot be said."""
    if part.after is None or part.before is None or part.after.time_s < LARGE * phase.time.after:
        return ""
    moved = [change for change in part.work if change.unit == "B" and change.relative >= RATE]
    if not moved or kind_of(part.after.limit) == MEMORIES:
        return ""
    most = max(moved, key=lambda change: abs(change.after - change.before))
    busy = load(part.after, part.after.limit)
    stays = f"{quantity_label(busy[0])} stay and" if busy else resource_label(part.after.limit)
    return f"{part_label(part.name)}: {_said(most, part.name)}, but {stays} set the time: no change"


def _memory(difference: Difference) -> Iterator[str]:
    """Memory by class, and what it holds."""
    labels = {output.name: output.label for output in (*MEMORY_CLASSES, *CAPACITY)}
    required = next(change for change in difference.capacity if change.name == "required")
    smallest = MENTIONED * max(required.before, required.after)
    classes = [
        f"{labels[change.name]} {arrow(change.before / GIB, change.after / GIB, 'GiB')}"
        for change in difference.memory
        if abs(change.after - change.before) >= smallest
    ]
    if classes:
        yield f"memory of one device: {', '.join(classes)}"
    held = [change for change in difference.capacity if change.name in CAPACITIES and change.relative >= MENTIONED]
    pool = next((change for change in held if change.name == "kv_pool_tokens"), None)
    words = [f"{CAPACITIES[change.name]} {_arrow(change, '1')}" for change in held if change is not pool]
    if pool and pool.before > 0 and pool.after > 0:
        words.insert(0, f"the pool holds {times(pool.after / pool.before)} the tokens ({_arrow(pool, '1')})")
    if words:
        yield f"capacity: {', '.join(words)}"
    missing = next(change for change in difference.capacity if change.name == "missing")
    for which, lacking in (("the first", missing.before), ("it", missing.after)):
        if lacking > 0:
            yield f"{which} does not fit: {measured(lacking, 'B')} a device too much; its times assume that it did"


def explanation(found: Comparison, index: int) -> list[str]:
    """What makes the difference to the first configuration, in words with their numbers, the largest first."""
    both = found.results[0], found.results[index]
    changes = [Change(path, by_path()[path].unit, *(float(one.value(path)) for one in both)) for path in _heads(both)]
    return explained(found.difference(index), changes)


def _heads(both: tuple[Answer, Answer]) -> list[str]:
    """Paths of the outputs that say most of a change.

    Of a static batch its throughput. A service answers what comes, however fast it is: all that comparisons show.
    """
    shown = [output.name for _, output in compared(both[0]) if output.name in both[1].paths]
    if all(SERVES in one.paths for one in both):
        return shown
    paths = [path for path in both[0].paths if path in both[1].paths]
    return [MOST if MOST in paths else next((one for one in paths if by_path()[one].better), paths[0])]
