"""A sizing on a terminal."""

from __future__ import annotations

from llmperf.answers.alternatives import AXES
from llmperf.answers.candidates import Candidate
from llmperf.answers.copies import demand
from llmperf.answers.sizing import Sizing
from llmperf.interfaces.console.style import Console, console, filled, table, text
from llmperf.interfaces.console.tables import Table, bold
from llmperf.phases.serving.limits import LIMITED
from llmperf.words.commands import command
from llmperf.words.quantities import count, quantity, share

LABELS = {"hardware": "chip", "weights": "weights", "kv_cache": "KV cache", "engine": "engine"}


def show(found: Sizing) -> None:
    """Print what is asked, the candidates, the best first, and how to look at it closer."""
    out = console()
    out.print(bold(text(filled(headline(found), "", out.width))))
    if found.candidates:
        out.print()
        out.print(_table(found))
    for one in found.refused:
        why = f"nothing on {one.scenario.hardware.name} {one.scenario.weights.name}: {one.why}"
        out.print(text(filled(why, "", out.width)))
    for note in (*_notes(found), *found.notes):
        out.print(text(filled(f"note: {note}", "", out.width)))
    if found.candidates:
        _closer(out, found)


def headline(found: Sizing) -> str:
    """Demand, limits and lengths in one line."""
    scenario, traffic = found.scenario, found.traffic
    way, amount = demand(traffic)
    asked = {"users": "users", "concurrency": "requests in flight", "request_rate": "requests/s"}[way]
    thinking = f" who think {quantity(traffic.think_time, 'time')}" if traffic.think_time else ""
    limits = [
        f"{name.upper()} {quantity(limit, 'time')}"
        for name in LIMITED
        if (limit := getattr(traffic.limits, name)) is not None
    ]
    within = f", p{traffic.limits.percentile:g} of {', '.join(limits)}" if limits else ", no limits"
    lengths = f"{count(scenario.workload.input)} in, {count(scenario.workload.output)} out"
    spare = f", {share(found.headroom, 0)} kept free" if found.headroom else ""
    return f"{scenario.model.name}: {count(amount)} {asked}{thinking}, {lengths}{within}{spare}"


def _table(found: Sizing) -> Table:
    """Candidates, one a row."""
    differ = [name for name in AXES if len({_name(one, name) for one in found.candidates}) > 1] or ["hardware"]
    percent = f"p{found.traffic.limits.percentile:g}"
    heads = ("copies x\nlayout", "de-\nvices", "in flight\na copy", f"TTFT\n{percent}", f"TPOT\n{percent}")
    more = ("head-\nroom", "N+1", "USD/\nMtok", "USD/\nmonth", "limited\nby")
    made = table(*(LABELS[name] for name in differ), *heads, *more, left=len(differ) + 1)
    made.columns[-1].right = made.columns[len(differ)].folds = False
    for one in found.candidates:
        made.add_row(*(text(_name(one, name)) for name in differ), *_row(one))
    return made


def _name(one: Candidate, key: str) -> str:
    return str(getattr(one.answer.scenario, key).name)


def _row(one: Candidate) -> list[str]:
    return [
        f"{one.copies} x {layout(one)}",
        count(one.devices),
        count(one.answer.value("in_flight")),
        quantity(one.time_s("ttft"), "time"),
        quantity(one.time_s("tpot"), "time"),
        share(one.headroom, 0),
        count(one.devices_with_spare),
        count(one.usd_per_mtok),
        count(one.usd_per_month),
        one.copy.limited_by,
    ]


def layout(one: Candidate) -> str:
    """A layout in a few letters: ``tp4 ep4``."""
    sizes = [f"{way}{size}" for way, size in one.copy.layout.items() if size > 1]
    return " ".join(sizes) or "tp1"


def _notes(found: Sizing) -> list[str]:
    """What is the same of all candidates, and what the numbers are."""
    one = found.candidates[0].answer.scenario if found.candidates else found.scenario
    same = [name for name in AXES if len({_name(each, name) for each in found.candidates}) <= 1]
    said = [f"{LABELS[name]} {getattr(one, name).name}" for name in same]
    parts = [f"all with {', '.join(said)}"] if said and found.candidates else []
    if found.pessimistic:
        parts.append("times are the unfavourable ends of their error bands")
    return parts


def _closer(out: Console, found: Sizing) -> None:
    """How to look at the best one, and how to run it."""
    best = found.candidates[0]
    shares = f", one of {best.copies} copies" if best.copies > 1 else ""
    out.print(f"\nthe first of these{shares}:")
    out.print(text(filled(command("serve", found.reference, best.asked), "  ", out.width)))
