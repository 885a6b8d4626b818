"""What descriptors of the catalog lack, and which answers that forbids; how old their prices are."""

from __future__ import annotations

import datetime
import re
from typing import Any

from llmperf.descriptors.hardware import Hardware
from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

STALE_MONTHS = 12
"""Age from which on a price is called stale."""


def gaps(extra: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """One entry for each hardware and model that lacks something: what, and what cannot be answered without."""
    found = []
    for name in sorted(catalog.files("hardware", extra)):
        lacks = _hardware(name, extra)
        if lacks:
            found.append({"kind": "hardware", "name": name, "missing": lacks})
    for name in sorted(catalog.files("model", extra)):
        lacks = _model(name, extra)
        if lacks:
            found.append({"kind": "model", "name": name, "missing": lacks})
    return found


def _lack(what: str, forbids: str) -> dict[str, str]:
    return {"what": what, "forbids": forbids}


def _hardware(name: str, extra: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        hardware: Hardware = component("hardware", name, extra)
    except InputError as error:
        return [_lack(f"{problem.path}: {problem.message}", "every estimate") for problem in error.problems]
    lacks = []
    if not any(engine.kind == "vector" and engine.peaks for engine in hardware.engines.values()):
        lacks.append(_lack("vector rate", "a compute limit of elementwise work and dequantization"))
    if hardware.cache is None or hardware.cache.capacity is None:
        lacks.append(_lack("last-level cache", "a bound that credits cached weights (none is credited)"))
    if hardware.link("scale_up") is None and hardware.link("host") is None and hardware.link("scale_out") is None:
        lacks.append(_lack("links", "layouts of more than one device"))
    if hardware.link("host") is None and hardware.kind in ("gpu", "npu", "tpu", "asic"):
        lacks.append(_lack("host link", "weights or KV cache in host memory"))
    if hardware.cores is None:
        lacks.append(_lack("cores", "waves of decode attention (one wave is assumed)"))
    if hardware.tdp is None:
        lacks.append(_lack("tdp", "energy"))
    if hardware.price is None and hardware.rent is None:
        lacks.append(_lack("price", "cost"))
    return lacks


def _model(name: str, extra: tuple[str, ...]) -> list[dict[str, str]]:
    model = component("model", name, extra)
    if model.official is None:
        return [_lack("official parameter count", "a check of the shape against the vendor")]
    if not model.official.exact:
        return [_lack("exact official parameter count", "a check of the shape to the digit")]
    return []


def price_age(price_date: str | None, today: datetime.date | None = None) -> str | None:
    """How old a price is, said only where that matters.

    Parameters
    ----------
    price_date : str or None
        When and where it was read, as the descriptor says.
    today : date, optional
        For tests.

    Returns
    -------
    str or None
        None while the newest date named is less than `STALE_MONTHS` old.
    """
    if price_date is None:
        return "undated"
    today = today or datetime.date.today()
    dates = [(int(year), int(month or 1)) for year, month in re.findall(r"\b(20\d\d)(?:-(0[1-9]|1[0-2]))?", price_date)]
    if not dates:
        return "undated"
    year, month = max(dates)
    months = (today.year - year) * 12 + today.month - month
    return f"stale: {months} months old" if months >= STALE_MONTHS else None
