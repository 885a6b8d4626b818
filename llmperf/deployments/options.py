"""What the flags of a tool mean: rules that put values into the scenario, and what is ignored or not modelled."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from llmperf.deployments.deployment import Draft, Flag
from llmperf.errors import nearest, shown

Take = Callable[[Draft, Flag], None]

OFF = ("false", "0", "none", "null", "off", "no", "0.0", "disabled")
"""Values that switch off what a flag asks for."""
_ON = ("true", "1", "on", "yes")
_PLAIN = re.compile(r"[\w.-]+")
_LAST = re.compile(r"[\w.:+-]+", re.ASCII)
_HUMAN = re.compile(r"(\d+(?:\.\d+)?)([kmgKMG]?)", re.ASCII)
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one flag is taken: a switch takes no value, `many` all words up to the next flag.

    `unknown`: it is taken even where its value depends on variables that the file does not define. `named`: it is taken
    where only folders of its value depend on such. `path`: what it sets of the scenario, if that is one thing.
    """

    take: Take
    switch: bool = False
    many: bool = False
    unknown: bool = False
    named: bool = False
    path: str = ""

    def takes(self, flag: Flag) -> bool:
        """Whether what is known of a flag's value is enough."""
        return not flag.missing or self.unknown or (self.named and bool(base_name(flag.value)))


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of one tool.

    Attributes
    ----------
    tool : str
    rules : mapping of str to Rule
        Flags that become values of the scenario.
    aliases : mapping of str to str
        Other names of flags.
    ignored : mapping of str to sequence of str
        Reason -> flags that cannot change the answer for it.
    unmodelled : mapping of str to sequence of str
        Reason -> flags that change the answer in a way that is not modelled; ``*`` stands for anything.
    switches, lists : frozenset of str
        Flags, other than rules, that take no value, or all words up to the next flag.
    finish : callable
        What is decided once all flags are known, whatever their order.
    config : frozenset of str
        Flags that name a file of further flags.
    config_first : bool
        Whether flags override that file, or it overrides them.
    abbreviates : bool
        Whether a flag may be cut as long as it stays the only one that begins so (argparse).
    """

    tool: str
    rules: Mapping[str, Rule]
    finish: Callable[[Draft], None]
    aliases: Mapping[str, str] = field(default_factory=dict)
    ignored: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unmodelled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    switches: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    config: frozenset[str] = frozenset()
    config_first: bool = True
    abbreviates: bool = False

    def canonical(self, name: str) -> str:
        """The name of a flag that the tables use."""
        name = self.aliases.get(name, name)
        if not self.abbreviates or name.startswith("no-") or self._has(name):
            return name
        full = {self.aliases.get(one, one) for one in self._names() if one.startswith(name)} if len(name) > 3 else ()
        return next(iter(full)) if len(full) == 1 else name

    def _names(self) -> Iterator[str]:
        """Every flag that has a name of its own in the tables."""
        tables = (names for table in (self.ignored, self.unmodelled) for names in table.values())
        return itertools.chain(self.rules, self.aliases, self.config, *tables)

    def _has(self, name: str) -> bool:
        return name in self.rules or name in self.config or bool(self.reason(name))

    def is_switch(self, name: str) -> bool:
        """Whether a flag takes no value."""
        name = self.canonical(name)
        if name in self.rules:
            return self.rules[name].switch
        return name in self.switches or (name.startswith("no-") and self.knows(name[3:]))

    def is_list(self, name: str) -> bool:
        """Whether a flag takes all words up to the next flag."""
        name = self.canonical(name)
        return name in self.lists or (name in self.rules and self.rules[name].many)

    def knows(self, name: str) -> bool:
        """Whether a flag is in one of the tables."""
        return self._has(self.canonical(name))

    def reason(self, name: str) -> tuple[str, str] | None:
        """Why a flag sets nothing: (``ignored`` or ``not_modelled``, reason)."""
        for kind, table in (("ignored", self.ignored), ("not_modelled", self.unmodelled)):
            for why, names in table.items():
                if name in names or any(not _PLAIN.fullmatch(one) and fnmatchcase(name, one) for one in names):
                    return kind, why
        return None


def base_name(path: str) -> str:
    """What a path ends in, whose folders may be variables (``$HOME/models/x``); empty where that is not known."""
    folders, _, name = path.rstrip("/").rpartition("/")
    return name if folders and _LAST.fullmatch(name) else ""


def apply(options: Options, flags: Sequence[Flag], draft: Draft) -> None:
    """Take every flag; none is left without a finding."""
    for flag in flags:
        _apply(options, flag, draft)


def _apply(options: Options, flag: Flag, draft: Draft) -> None:
    name = options.canonical(flag.name)
    if name != options.aliases.get(flag.name, flag.name) and not flag.written.startswith("--"):
        name = flag.name  # keys of files are never cut
    while "." in name and name not in options.rules and not options.reason(name):
        name = options.canonical(name.rpartition(".")[0])  # --json-arg.key value, of which the whole is known
    said = options.reason(name)
    if said is not None and said[0] == "ignored":
        draft.note("ignored", flag, said[1])
    elif flag.missing and not (name in options.rules and options.rules[name].takes(flag)):
        said_of = f"{', '.join(dict.fromkeys(flag.missing))} is not defined in this file"
        draft.note("not_understood", flag, said_of, options.rules[name].path if name in options.rules else "")
    elif name in options.rules:
        options.rules[name].take(draft, flag)
    elif name.startswith("no-") and options.knows(name[3:]):
        _negated(options, name[3:], flag, draft)
    elif said is not None:
        off = flag.value.strip().lower() in OFF and flag.values
        draft.note("ignored" if off else "not_modelled", flag, "is switched off" if off else said[1])
    else:
        near = nearest(flag.name, [*options.rules, *options.aliases])
        hint = f"; did you mean --{near}?" if near else ""
        draft.note("not_understood", flag, f"is no flag of {options.tool} that is known here{hint}")


def _negated(options: Options, name: str, flag: Flag, draft: Draft) -> None:
    """``--no-...``: the flag with the opposite of its meaning."""
    name = options.canonical(name)
    if name in options.rules:
        options.rules[name].take(draft, Flag(name, flag.written, ("false",), (), flag.file, flag.line))
    else:
        draft.note("ignored", flag, "is switched off")


def other_variable(
    draft: Draft, tool: str, own: tuple[str, ...], harmless: re.Pattern[str], name: str, value: str, line: int | None
) -> bool:
    """A variable of the environment that a tool reads and this version does not; whether it may change the answer.

    `own` are what the tool's variables begin with, `harmless` those of them that concern logs, addresses and the like.
    """
    if not name.startswith(own) or harmless.fullmatch(name):
        return False
    flag = Flag(name.lower(), name, (value,), (), None, line)
    draft.note("not_understood", flag, f"is a variable of {tool} that may change the answer")
    return True


def _public(path: str) -> str:
    """The path of the scenario behind a setting of the tool's own; empty where that takes more than one flag."""
    return "model" if path == "_model" else "" if path.startswith("_") else path


# --- Rules -----------------------------------------------------------------------------------------------------------


def whole(path: str, message: str = "", least: int = 1, human: bool = False, unset: Sequence[str] = ()) -> Rule:
    """A whole number; `human` numbers may end in k (1000) or K (1024) and their like; `unset` texts set nothing."""

    def take(draft: Draft, flag: Flag) -> None:
        text = flag.value.strip()
        if text.lower() in ("none", "null", *unset):
            draft.note("ignored", flag, "stands for the default")
            return
        match = _HUMAN.fullmatch(text)
        if match is None or (match[2] and not human) or len(text) > 15:
            draft.wrong(flag, f"{shown(text)} is not a whole number")
            return
        number = float(match[1]) * _FACTORS[match[2]]
        if number != int(number) or number < least:
            draft.wrong(flag, f"{shown(text)} is not a whole number of at least {least}")
            return
        draft.put(flag, path, int(number), message)

    return Rule(take, path=_public(path))


def number(path: str, most: float = math.inf, message: str = "") -> Rule:
    """A number of at least 0 and at most `most`."""

    def take(draft: Draft, flag: Flag) -> None:
        text = flag.value.strip()
        if text.lower() in ("none", "null", "auto"):
            draft.note("ignored", flag, "stands for the default")
            return
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 <= value <= most or math.isinf(value):
            limit = f" between 0 and {most:g}" if math.isfinite(most) else " of 0 or more"
            draft.wrong(flag, f"{shown(text)} is not a number{limit}")
            return
        draft.put(flag, path, value, message)

    return Rule(take, path=_public(path))


def text(path: str) -> Rule:
    """A text, empty ones being refused."""

    def take(draft: Draft, flag: Flag) -> None:
        value = flag.value.strip()
        if not value or len(value) > 1000 or not value.isprintable():
            draft.wrong(flag, f"{shown(value)} must be one printable line")
            return
        draft.put(flag, path, value)

    return Rule(take, named=path == "_model", path=_public(path))


def switch(path: str, on: Any = True, off: Any = False, message: str = "") -> Rule:
    """A switch: `on` where it is set, `off` where it says false or its ``--no-`` form stands."""

    def take(draft: Draft, flag: Flag) -> None:
        said = flag.value.strip().lower()
        if flag.values and said not in (*OFF, *_ON):
            draft.wrong(flag, f"{shown(flag.value)} is neither true nor false", ("true", "false"))
            return
        draft.put(flag, path, off if flag.values and said in OFF else on, message)

    return Rule(take, switch=True, path=_public(path))
