"""Pages of the catalog: every entry, each of its numbers beside its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from markdown.extensions.toc import slugify

from generator.markup import Page, code, link, markdown, page, shell, table
from llmperf import units
from llmperf.errors import InputError
from llmperf.files.store import packaged
from llmperf.interfaces.shelf.inventory import entry, inventory
from llmperf.scenarios.catalog import KINDS
from llmperf.scenarios.components import component

PLACES = {
    "hardware": ("hardware", "Hardware"),
    "model": ("models", "Models"),
    "weights": ("weights", "Weight formats"),
    "kv_cache": ("kv-cache", "KV-cache methods"),
    "attention": ("attention", "Attention kernels"),
    "engine": ("engines", "Serving engines"),
    "link": ("links", "Links"),
    "tier": ("memory", "Memory tiers"),
    "achieved": ("constants", "Constants"),
    "traffic": ("traffic", "Traffic"),
    "scenario": ("scenarios", "Scenarios"),
    "published": ("systems", "Published systems"),
}
"""Kind -> name of its page below ``catalog/``, and title."""
ALONE = ("hardware", "model", "achieved", "published")
"""Kinds whose entries have pages of their own; those of the others are sections of one page."""

Line = Mapping[str, Any]


def pages() -> Iterator[Page]:
    """All pages of the catalog."""
    found = inventory(None)
    yield _index(found)
    for kind in PLACES:
        lines = found[kind]
        yield _OVERVIEWS[kind](kind, lines) if kind in _OVERVIEWS else _sections(kind, lines)
        if kind in ALONE:
            for line in lines:
                yield _alone(kind, line["name"])


def _index(found: Mapping[str, Sequence[Line]]) -> Page:
    rows = [
        (link(title, f"{place}.html"), code(kind), len(found[kind]), ", ".join(_folders(kind)))
        for kind, (place, title) in PLACES.items()
    ]
    return page(
        "catalog/index.md",
        "Catalog",
        "What a scenario may name. Every entry is a YAML file, from which these pages are made. "
        "`llmperf list` and `llmperf show` say the same of the version that is installed; "
        "[adding an entry](../extending.md) says how to write one.",
        table(("", "kind", "entries", "files"), rows, numbers=(2,)),
        "`llmperf list --missing` shows what entries lack, and which answers that forbids.",
    )


def _folders(kind: str) -> list[str]:
    return [
        str((parent / folder).relative_to(packaged()))
        for parent in (packaged() / "hardware", packaged() / "workloads")
        for folder in KINDS[kind]
        if (parent / folder).is_dir()
    ]


# Overviews: one table, or one for each group, whose entries have pages of their own.


def _hardware(kind: str, lines: Sequence[Line]) -> Page:
    parts = []
    for group, _ in Counter(str(line["kind"]) for line in lines).most_common():
        rows = [_hardware_row(line) for line in lines if line["kind"] == group]
        columns = ("name", "vendor", "year", "devices", "memory", "bandwidth", "bf16", "fp8", "int8")
        parts += [f"## {group}", table(columns, rows, numbers=range(2, 9))]
    said = (
        "Chips and systems. Peaks are dense, of one device; bandwidth is that of its main memory. Empty is what no "
        "source says; such an entry is refused by naming what is missing. Names lead to all values with their sources."
    )
    return page(_overview(kind), PLACES[kind][1], said, *parts)


def _hardware_row(line: Line) -> tuple[Any, ...]:
    memory = bandwidth = None
    peaks: dict[str, str] = {}
    with suppress(InputError):
        chip = component("hardware", line["name"])
        memory = f"{chip.main.capacity / 2**30:,.4g} GiB"
        bandwidth = units.scaled(chip.main.bandwidth, "bandwidth", 3)
        engines = [engine for engine in chip.engines.values() if engine.kind == "matrix"]
        peaks = {dtype: units.scaled(peak, "compute", 4) for engine in engines for dtype, peak in engine.peaks.items()}
    name = link(line["name"], f"hardware/{line['name']}.html")
    shown = [peaks.get(dtype, "").replace("FLOP/s", "") for dtype in ("bf16", "fp8", "int8")]
    return name, line["vendor"], line["year"], line["devices"], memory, bandwidth, *shown


def _models(kind: str, lines: Sequence[Line]) -> Page:
    rows = []
    for line in sorted(lines, key=lambda line: (line["family"], line["parameters"])):
        model = component("model", line["name"])
        heads = model.attention
        rows.append(
            (
                link(line["name"], f"models/{line['name']}.html"),
                line["family"],
                _billions(line["parameters"]),
                _billions(line["active_parameters"]),
                model.layers,
                model.hidden,
                f"{heads.heads} / {heads.kv_heads}" if heads else None,
                f"{line['max_context']:,.0f}",
            )
        )
    columns = ("name", "family", "parameters", "active", "layers", "hidden", "heads / KV heads", "context")
    said = (
        "Parameters are counted from the shape and checked against the official number; *active* are those that one "
        "token uses. Any other model is read from its Hugging Face configuration or GGUF file "
        "([adding a model](../how-to/add-a-model.md))."
    )
    return page(_overview(kind), PLACES[kind][1], said, table(columns, rows, numbers=range(2, 8)))


def _billions(count: float) -> str:
    return f"{count / 1e9:,.2f} B" if count >= 1e9 else f"{count / 1e6:,.0f} M"


def _constants(kind: str, lines: Sequence[Line]) -> Page:
    rows = []
    for line in lines:
        found = entry(line["name"], kind)
        values = found["values"]
        rows.append(
            (
                link(line["name"], f"constants/{line['name']}.html"),
                values.get("basis"),
                len(values.get("fitted") or {}),
                found["sources"].get("calibration") or found["sources"].get("all"),
            )
        )
    said = (
        "The efficiencies and fixed times of the projection, of a chip or of a class of chips "
        "([forms](../cost-models.md), [calibration](../measuring.md)). An entry that extends a class shows its values "
        "too; the fits are its own."
    )
    return page(_overview(kind), PLACES[kind][1], said, table(("name", "basis", "fits", "source"), rows, numbers=(2,)))


def _published(kind: str, lines: Sequence[Line]) -> Page:
    parts, columns = [], ("system", "publication", "year", "claims", "expressible")
    for group, _ in Counter(str(line["category"]) for line in lines).most_common():
        rows = [_published_row(kind, line) for line in lines if line["category"] == group]
        parts += [f"## {group}", table(columns, rows, numbers=(2, 3, 4))]
    said = (
        "What systems have published about themselves, and `llmperf validate` recomputes: "
        "[one by one](../published.md) has the outcome, [claims](../claims.md) the format. *Expressible* is how many "
        "the present version can state."
    )
    return page(_overview(kind), PLACES[kind][1], said, *parts)


def _published_row(kind: str, line: Line) -> tuple[Any, ...]:
    source = entry(line["name"], kind)["values"]["source"]
    name, title = link(line["name"], f"systems/{line['name']}.html"), link(source["title"], source["url"])
    return name, title, line["year"], line["claims"], line["claims"] - line["not_expressible"]


_OVERVIEWS: dict[str, Callable[[str, Sequence[Line]], Page]] = {
    "hardware": _hardware,
    "model": _models,
    "achieved": _constants,
    "published": _published,
}


# Kinds on one page: a table of all, and a section for each entry.


def _sections(kind: str, lines: Sequence[Line]) -> Page:
    groups = list(dict.fromkeys(line.get("stage") for line in lines))
    parts = [_SAID.get(kind, ""), *(_group(kind, group, lines, len(groups) > 1) for group in groups)]
    for group in groups:
        title = f"## {group or 'plain'}" if len(groups) > 1 else "## Entries"
        parts += [title, *(_section(kind, line) for line in lines if line.get("stage") == group)]
    return page(_overview(kind), PLACES[kind][1], *parts)


_SAID = {
    "weights": "Bits of an element with its share of scales, zeros and outliers. "
    "[Weight formats](../weight-formats.md) says what the keys mean.",
    "kv_cache": "By the stage of the cache's life that a method is about. *Stored* and *read* are bytes of a sequence "
    "of 131,072 tokens over those of a 16-bit cache: on the device, and in one decode step. "
    "[The vocabulary](../kv-cache.md) says what the keys mean.",
    "engine": "What the software around the kernels costs, and which kernels it runs "
    "([engines](../cost-models.md#engines)).",
    "attention": "How a kernel of attention differs from those that a chip was calibrated with "
    "([mechanisms](../attention.md)).",
    "link": "Links that hardware names by `links: {network: {extends: infiniband-ndr}}`. Bandwidth is that of one "
    "direction of one device.",
    "tier": "Memories that hardware names by `tiers: {cxl: {extends: micron-cz120, via: pcie}}`.",
    "traffic": "Lengths and reuse of published traces and data sets, for `--traffic azure-code --rate 5`: how requests "
    "come is yours to say. Lengths are means, in tokens; spreads and percentiles are below. "
    "[Traffic](../how-to/traffic.md) makes such an entry of a trace of your own.",
    "scenario": "Scenarios that commands take by name: `llmperf estimate deepseek-v3-8xh200`.",
}


_NUMBERED = ("weights", "kv_cache", "traffic")
"""Kinds of whose lines all columns are numbers."""


def _group(kind: str, group: str | None, lines: Sequence[Line], several: bool) -> str:
    columns = {
        "weights": ("bits", "group", "bits_with_scales"),
        "kv_cache": ("bits_with_scales", "stored_at_128k", "read_at_128k"),
        "attention": ("mechanisms",),
        "link": ("kind", "bandwidth"),
        "tier": ("kind", "capacity", "bandwidth"),
        "traffic": ("input", "output", "prefix_hit"),
    }.get(kind, ())
    rows = [
        (
            link(line["name"], f"#{slugify(line['name'], '-')}"),
            *(_shown(column, line.get(column)) for column in columns),
            ", ".join(line["aliases"]),
        )
        for line in lines
        if line.get("stage") == group
    ]
    names = tuple(column.replace("_", " ").replace("at 128k", "") for column in columns)
    found = table(("name", *names, "aliases"), rows, numbers=range(1, len(columns) + 1) if kind in _NUMBERED else ())
    return f"**{group or 'plain'}**\n\n{found}" if several else found


def _shown(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column == "bits_with_scales":
        return f"{value:.4g}"
    return f"{value:.1%}" if column.endswith("128k") else value


def _section(kind: str, line: Line) -> str:
    found = entry(line["name"], kind)
    return "\n\n".join([f"### {markdown(line['name'])}", _also(found), _values(found), _notes(found)])


# One entry.


def _alone(kind: str, name: str) -> Page:
    found = entry(name, kind)
    place, title = PLACES[kind]
    parts = [f"[{title}](../{place}.md) · `{_file(found)}`", _also(found)]
    parts += _BODIES.get(kind, lambda found: [_values(found)])(found)
    parts += [_notes(found), _TRY.get(kind, lambda _: "")(name)]
    return page(f"catalog/{place}/{name}.md", found["name"], *parts, searched=kind in ("hardware", "model"), alone=True)


_TRY = {
    "hardware": lambda name: shell(f"llmperf estimate --model llama-3.1-8b --hardware {name}"),
    "model": lambda name: shell(f"llmperf memory --model {name} --hardware h100-sxm --tp 8"),
    "published": lambda name: shell(f"llmperf validate --claims workloads/published/{name}.yaml"),
}
"""A command to go on with."""


def _of_model(found: Mapping[str, Any]) -> list[str]:
    counts = [(name.replace("_", " "), f"{value:,.0f}") for name, value in found["derived"].items()]
    return [table(("counted from the shape", ""), counts, numbers=(1,)), _values(found)]


def _of_constants(found: Mapping[str, Any]) -> list[str]:
    values = dict(found["values"])
    fitted = values.pop("fitted", None) or {}
    rows = [
        (section, selector, ", ".join(f"{key} {value}" for key, value in constants.items()))
        for section, selectors in values.items()
        if isinstance(selectors, Mapping)
        for selector, constants in _selected(selectors)
    ]
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    return [
        _values({**found, "values": plain}),
        table(("source", ""), found["sources"].items()),
        "## Constants",
        table(("section", "selector", "values"), rows),
        *(["## Fits", table(("of", "rows, errors on rows held out, intervals"), fitted.items())] if fitted else []),
    ]


def _selected(selectors: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Selectors with their constants; those of collectives have numbers of ranks below them."""
    plain = {key: value for key, value in selectors.items() if not isinstance(value, Mapping)}
    if plain:
        yield path, plain
    for key, value in selectors.items():
        if isinstance(value, Mapping):
            yield from _selected(value, f"{path} {key}".strip())


def _of_published(found: Mapping[str, Any]) -> list[str]:
    values = dict(found["values"])
    source = values.pop("source")
    rows = [
        (
            identifier,
            claim["tier"],
            claim["metric"],
            _claimed(claim),
            found["sources"][identifier],
            ". ".join(said for said in (claim.get("not_expressible"), claim.get("note")) if said),
        )
        for identifier, claim in values.items()
    ]
    columns = ("claim", "tier", "metric", "published", "where it stands", "not expressible since; note")
    said = f"[{markdown(source['title'])}]({source['url']}), {source['year']}. "
    return [said + "[Predicted beside published](../../published.md).", table(columns, rows)]


def _claimed(claim: Mapping[str, Any]) -> str:
    value = claim.get("value")
    if isinstance(value, list | tuple):
        return f"{value[0]} to {value[1]}"
    number = 1 if value is None else value
    return f"{claim['direction']} than {number}" if claim.get("direction") else str(number)


_BODIES: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "model": _of_model,
    "achieved": _of_constants,
    "published": _of_published,
}


def _overview(kind: str) -> str:
    return f"catalog/{PLACES[kind][0]}.md"


def _file(found: Mapping[str, Any]) -> str:
    return str(Path(found["file"]).relative_to(packaged()))


def _also(found: Mapping[str, Any]) -> str:
    return "also: " + ", ".join(f"`{alias}`" for alias in found["aliases"]) if found["aliases"] else ""


def _notes(found: Mapping[str, Any]) -> str:
    return markdown(found["notes"]) if found.get("notes") else ""


def _values(found: Mapping[str, Any]) -> str:
    """Every value of an entry beside its source."""
    rows = [(code(path), value, _source(path, found["sources"])) for path, value in _leaves(found["values"], "")]
    return table(("key", "value", "source"), rows, merged=True)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        yield path, ", ".join(map(str, value))
    elif value is not None:
        yield path, str(value).lower() if isinstance(value, bool) else value


def _source(path: str, sources: Mapping[str, str]) -> str:
    """The source of the longest prefix of a path that has one, else that of all."""
    while path:
        if path in sources:
            return sources[path]
        path = path.rpartition(".")[0]
    return sources.get("all", "")
