"""The catalog as a list, and one entry with its sources.

What reads descriptors is imported where one is read: a list mostly comes from the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, get_args

from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.files import store
from llmperf.files.documents import Document, finite
from llmperf.scenarios import catalog
from llmperf.version import __version__


def inventory(
    kind: str | None, extra: tuple[str, ...] = (), called: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Name, aliases and a line of every entry, by kind; of those alone that have `called` in a name or an alias.

    Raises
    ------
    InputError
        If there is no such kind, or nothing is called so.
    """
    if kind is not None and kind not in catalog.KINDS:
        plural = kind.rstrip("s")
        if plural not in catalog.KINDS:
            raise InputError(
                Problem(
                    f"unknown kind {kind!r}",
                    "kind",
                    allowed=tuple(catalog.KINDS),
                    suggestion=nearest(kind, catalog.KINDS),
                )
            )
        kind = plural
    kinds = [kind] if kind else list(catalog.KINDS)
    found = {}
    for each in kinds:
        names = catalog.paths(each, extra)
        found[each] = store.remembered(
            f"{each} of llmperf {__version__}",
            [__file__, *(names[name] for name in sorted(names))],  # another version of this file lists other things
            partial(_lines, each, sorted(names), extra),
        )
    return found if called is None else _called(called, found)


def _called(word: str, found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The lines that have a word in a name or an alias, upper and lower case alike."""
    names = [name for lines in found.values() for line in lines for name in (line["name"], *line["aliases"])]
    key = word.lower()
    kept = {
        kind: [line for line in lines if any(key in name.lower() for name in (line["name"], *line["aliases"]))]
        for kind, lines in found.items()
    }
    if not any(kept.values()):
        text = f"nothing of this kind has {shown(word)} in its name"
        raise InputError(Problem(text, "name", suggestion=nearest(word, names)))
    return {kind: lines for kind, lines in kept.items() if lines}


def _lines(kind: str, names: list[str], extra: tuple[str, ...]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = finite([_line(kind, name, extra) for name in names])
    if kind == "kv_cache":
        from llmperf.descriptors.kv_cache import Stage

        stages = (None, *get_args(Stage))
        lines.sort(key=lambda line: stages.index(line["stage"]))
    return lines


def _model(name: str, extra: tuple[str, ...]) -> tuple[Any, dict[str, int]]:
    """A model and its counts."""
    from llmperf.descriptors.parameters import active_parameters, parameters, prediction_parameters
    from llmperf.scenarios.components import component

    model = component("model", name, extra)
    counts = {
        "parameters": parameters(model),
        "active_parameters": active_parameters(model),
        "active_parameters_no_input_embedding": active_parameters(model, input_embedding=False),
    }
    if model.prediction_layers:
        counts["prediction_layer_parameters"] = prediction_parameters(model)
    return model, counts


def _line(kind: str, name: str, extra: tuple[str, ...]) -> dict[str, Any]:
    document = catalog.load(kind, name, extra)
    data = document.data
    _check_texts(document)
    line: dict[str, Any] = {"name": name, "aliases": _aliases(document), "file": document.file}
    if kind == "hardware":
        line |= {
            "kind": data.get("kind"),
            "vendor": data.get("vendor"),
            "year": data.get("year"),
            "devices": data.get("devices"),
        }
    if kind == "model":
        model, counts = _model(name, extra)
        line |= {
            "family": model.family,
            "parameters": counts["parameters"],
            "active_parameters": counts["active_parameters"],
            "max_context": model.max_context,
        }
    if kind in ("link", "tier"):
        line |= {key: data.get(key) for key in ("kind", "capacity", "bandwidth")}
    if kind in ("weights", "kv_cache"):
        line |= {"bits": data.get("bits"), "group": data.get("group"), "bits_with_scales": _bits(kind, name, extra)}
    if kind == "kv_cache":
        line |= _method(name, extra)
    if kind == "traffic":
        line |= {key: (data.get(key) or {}).get("mean") for key in ("input", "output")}
        line["prefix_hit"] = data.get("prefix_hit")
    if kind == "attention":
        line["mechanisms"] = ", ".join(key for key in data if key not in ("name", "sources", "aliases", "notes"))
    if kind == "published":
        from llmperf.evidence.claims.files import read

        published = read(store.load_file(str(document.file)))
        open_ones = sum(claim.not_expressible is not None for claim in published.claims)
        line |= {
            "category": published.category,
            "year": published.source.year,
            "claims": len(published.claims),
            "not_expressible": open_ones,
        }
    return line


LISTED_TOKENS = 131_072
"""Length of the sequence for which the list says what a KV-cache method stores and reads. [1]"""


def _method(name: str, extra: tuple[str, ...]) -> dict[str, Any]:
    """Stage of a KV-cache method, and its bytes over those of a 16-bit cache: stored on the device, read in a step.

    Of a layer with 32 query heads and 8 KV heads of 128.
    """
    from llmperf.descriptors.kv_cache import stored_bits
    from llmperf.operators.cache import Cache
    from llmperf.scenarios.components import component

    method = component("kv_cache", name, extra)
    key = stored_bits(method, method.key_elements) / 8
    value = stored_bits(method, method.values) / 8 if method.values else key
    layer = Cache(method, 1024.0, 1024.0, key, value, 32.0, 8.0, 128.0, 0.0)
    tokens, plain = float(LISTED_TOKENS), 2.0 * 2048.0 * LISTED_TOKENS
    every = method.selection.every if method.selection else 1.0
    read = layer.step(lambda limit: min(tokens, limit), tokens, tokens).bytes + layer.summaries(tokens) / every
    return {
        "stage": method.stage,
        "stored_at_128k": layer.stored(tokens, tokens, tokens)[0] / plain,
        "read_at_128k": read / plain,
    }


def _bits(kind: str, name: str, extra: tuple[str, ...]) -> float:
    """Bits of an element, its share of scales and zeros included. [bit]"""
    from llmperf.descriptors import kv_cache, weights
    from llmperf.scenarios.components import component

    found = component(kind, name, extra)
    size = weights.element_bytes(found) if kind == "weights" else kv_cache.element_bytes(found)
    return 8.0 * float(size)


def entry(name: str, kind: str | None, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    """One entry of the catalog: its data as written, its sources, and what follows from it.

    Raises
    ------
    InputError
        If no kind, or several, have an entry of that name.
    """
    if kind is not None and kind not in catalog.KINDS:
        raise InputError(
            Problem(
                f"unknown kind {kind!r}",
                "--kind",
                allowed=tuple(catalog.KINDS),
                suggestion=nearest(kind, catalog.KINDS),
            )
        )
    kinds = [kind] if kind else list(catalog.KINDS)
    found = [each for each in kinds if _has(each, name, extra)]
    if not found:
        names = [known for each in kinds for known in (*catalog.files(each, extra), *catalog.aliases(each, extra))]
        raise InputError(
            Problem(
                f"nothing in the catalog is called {name!r}",
                "name",
                allowed=(),
                suggestion=f"nearest: {nearest(name, names)}" if nearest(name, names) else "see llmperf list",
            )
        )
    # neither results nor constants hide what they are about
    found = [each for each in found if each not in ("published", "achieved")] or found
    if len(found) > 1:
        raise InputError(
            Problem(f"{name!r} is the name of several entries; say which with --kind", "name", allowed=tuple(found))
        )
    return _entry(found[0], name, extra)


def _has(kind: str, name: str, extra: tuple[str, ...]) -> bool:
    key = name.strip().lower()
    if not store.is_path(name) and (key in catalog.files(kind, extra) or key in catalog.aliases(kind, extra)):
        return True
    if kind not in ("model", "hardware"):
        return False
    try:  # a file, or a folder with the configuration of a model
        data = catalog.load(kind, name, extra).data if store.is_path(name) or kind == "model" else {}
    except InputError:
        return False
    return bool(data) and (kind == "model" or not ({"architectures", "model_type"} & data.keys()))


def _said(claim: Any) -> dict[str, Any]:
    """What a published claim states beside its id and where it stands."""
    return {key: value for key, value in asdict(claim).items() if key not in ("id", "provenance") and value is not None}


def _aliases(document: Document) -> list[str]:
    return [str(alias) for alias in document.data.get("aliases") or []]


def _check_texts(document: Document) -> None:
    """Raise what is wrong with the keys that entries of every kind have."""
    aliases, sources = document.data.get("aliases"), document.data.get("sources")
    wrong = []
    if aliases is not None and not isinstance(aliases, list):
        wrong.append(("aliases", f"must be a list, not {shown(aliases)}"))
    if sources is not None and not isinstance(sources, Mapping):
        wrong.append(("sources", f"must be a mapping, not {shown(sources)}"))
    if wrong:
        raise InputError([Problem(text, key, document.file, document.line(key)) for key, text in wrong])


def _entry(kind: str, name: str, extra: tuple[str, ...]) -> dict[str, Any]:
    document = catalog.load(kind, name, extra)
    _check_texts(document)
    if kind != "model":  # one is built below, or imported from a configuration
        from llmperf.scenarios import components

        components.check(kind, document, extra)
    data = {key: value for key, value in document.data.items() if key not in ("sources", "aliases", "notes")}
    out: dict[str, Any] = {
        "kind": kind,
        "name": data.pop("name", name),
        "file": document.file,
        "aliases": _aliases(document),
        "values": data,
        "sources": document.data.get("sources") or {},
        "notes": document.data.get("notes"),
    }
    if kind == "published":
        from llmperf.evidence.claims.files import read

        published = read(store.load_file(str(document.file)))
        out["values"] = {"source": asdict(published.source), **{claim.id: _said(claim) for claim in published.claims}}
        out["sources"] = {claim.id: claim.provenance for claim in published.claims}
    if kind == "hardware" and (data.get("price") or data.get("rent")):
        from llmperf.interfaces.shelf.gaps import price_age

        out["price_age"] = price_age(data.get("price_date"))
    if kind == "model":
        model, out["derived"] = _model(name, extra)
        hidden = ("name", "sources", "aliases", "notes")
        out["values"] = {key: value for key, value in asdict(model).items() if key not in hidden}
        out["sources"] = model.sources
    whole: dict[str, Any] = finite(out)
    return whole
