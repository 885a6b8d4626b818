"""Columns and keys of traces: by which names lengths and times go, and in which unit times are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from llmperf.errors import InputError, Problem, nearest
from llmperf.importers.traces.trace import UNITS, Faults, Floats, Wanted, Wholes

NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "timestamp", "time", "arrivedat", "arrivaltime", "arrival", "arrivaltimestamp", "requesttime", "starttime",
        "requeststart", "createdat",
    ),
    "input": (
        "contexttokens", "inputlength", "inputtokens", "prompttokens", "requesttokens", "promptlength", "promptlen",
        "inputlen", "numprefilltokens", "isl", "inputsequencelength", "inputtokencount", "inputtokenlength",
    ),
    "output": (
        "generatedtokens", "outputlength", "outputtokens", "completiontokens", "responsetokens", "outputlen",
        "numdecodetokens", "osl", "outputsequencelength", "outputtokencount", "outputtokenlength", "responselength",
    ),
    "session": ("sessionid", "conversationid"),
}  # fmt: skip
"""Role -> its names, without what separates their words: of Azure, BurstGPT, Mooncake, Vidur, aiperf, OpenAI."""
_BY_SIZE = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"))
"""Times since 1970 from these sizes on are of these units; smaller ones are seconds."""
_DATE = "datetime64[us]"


def squeezed(name: str) -> str:
    """A name in lower case, without blanks, dashes and underscores."""
    return re.sub(r"[\W_]", "", name.lower())


def roles(names: Iterable[str], asked: Wanted, file: str, line: int | None = None) -> dict[str, str]:
    """Role -> the column that has it.

    Raises
    ------
    InputError
        If a column that is asked for is missing, or none has the lengths.
    """
    known = [str(name) for name in names]
    problems = [
        Problem("this column is missing", name, file, line, tuple(known), nearest(name, known))
        for name in (*asked.columns.values(), *asked.where)
        if name not in known
    ]
    found = dict(asked.columns)
    for role, usual in NAMES.items():
        units = ("", *UNITS) if role == "time" else ("",)
        fits = [name for one in usual for unit in units for name in known if squeezed(name) == one + unit]
        if role not in found and fits:
            found[role] = fits[0]
    problems += [
        Problem(
            f"nothing is known to hold the {role} tokens of {_some(known)}", "", file, line, (), f"--column {role}=NAME"
        )
        for role in ("input", "output")
        if role not in found
    ]
    if problems:
        raise InputError(problems)
    return found


def _some(known: Sequence[str]) -> str:
    return f"{', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"


def unit_of(name: str, first: float, asked: Wanted) -> str:
    """The unit of numbers that are times: what is asked for, what the name ends in, or what their size says."""
    if asked.time_unit is not None:
        return asked.time_unit
    said = squeezed(name)
    for unit in UNITS:
        if any(said == one + unit for one in NAMES["time"]):
            return unit
    return next((unit for size, unit in _BY_SIZE if abs(first) >= size), "s")


def numbers(texts: Sequence[str], lines: Wholes, path: str, faults: Faults) -> Floats:
    """Texts as numbers; those that are none are noted, and read as not a number."""
    try:
        return np.array(texts, dtype=float)
    except ValueError:
        return np.array([_number(text, line, path, faults) for text, line in zip(texts, lines, strict=True)])


def _number(text: str, line: int, path: str, faults: Faults) -> float:
    try:
        return float(text)
    except ValueError:
        faults.add(f"{text[:40]!r} is not a number", int(line), path)
        return 1.0  # said already


def is_date(text: str) -> bool:
    """Whether a time is a date, and no number."""
    return re.match(r"\s*\d{4}-\d\d-\d\d", text) is not None


def dates(texts: Sequence[str], lines: Wholes, path: str, faults: Faults) -> Floats:
    """Dates, with their offsets from UTC where they have one, as seconds since 1970."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an offset is applied, and not kept
        try:
            found = np.array(texts, dtype=_DATE)
        except ValueError:
            found = np.array([_date(text, line, path, faults) for text, line in zip(texts, lines, strict=True)], _DATE)
    faults.refuse(np.isnat(found), lines, "is no time", path)
    since: Floats = found.astype(np.int64) / 1e6
    return since


def _date(text: str, line: int, path: str, faults: Faults) -> np.datetime64:
    try:
        return np.datetime64(text, "us")
    except ValueError:
        faults.add(f"{text[:40]!r} is no time", int(line), path)
        return np.datetime64(0, "us")  # said already
