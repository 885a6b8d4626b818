"""What a shell puts in place of variables, as far as the file itself says it; nothing is run.

Forms: POSIX 2.6.2 Parameter Expansion and 2.6.4 Arithmetic Expansion, with bash's arrays and substrings.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmperf.deployments.lexer import Lexer, Part, Token
from llmperf.deployments.words import MAX_EXPANDED, OUTPUT, Word
from llmperf.errors import InputError

MAX_NESTED = 20
"""Deepest defaults within defaults."""
ARITHMETIC = "the result of this arithmetic"
"""What a word lacks whose arithmetic is not that of whole numbers which are known."""
_BRACED = re.compile(r"\$\{([!#]?)([A-Za-z_]\w*|\d+|[@*#?])(?:\[([@*]|\d{1,5})\])?(.*)\}", re.ASCII | re.DOTALL)
_OPERATION = re.compile(r"(:?[-=?+])(.*)|(##?|%%?)(.*)|(//?)(.*)|(\^\^?|,,?)|:(\s*-?\d+)(?::(\d+))?", re.DOTALL)
_ARITHMETIC = re.compile(r"[\w\s+*/%()<>=!&|?:$,{}-]*", re.ASCII)
_NAME = re.compile(r"\$?\{?([A-Za-z_]\w*)\}?", re.ASCII)
_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: int(a / b) if abs(a) < 2**53 else a // b,
    ast.Mod: lambda a, b: a - b * int(a / b),
}


@dataclass(slots=True)
class Scope:
    """Variables and arrays that are known where a command stands."""

    variables: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, list[Word]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """Where variables are set."""


def words(token: Token, scope: Scope) -> list[Word]:
    """The words that one written word becomes: none where it is empty, several where an expansion is split."""
    whole = _elements(token, scope)
    if whole is not None:
        return whole
    fields: list[list[str]] = []
    missing: list[str] = []
    fresh = True
    for part in token.parts:
        text = part.text
        if part.quote != "literal":
            text, lacks = expansion(part.text, scope)
            missing += lacks
            if part.quote == "open" and not lacks:
                pieces = text.split()
                fresh = fresh or text[:1].isspace()
                for piece in pieces:
                    if fresh or not fields:
                        fields.append([])
                    fields[-1].append(piece)
                    fresh = True
                fresh = text[-1:].isspace() if text else fresh and not fields
                continue
        if fresh or not fields:
            fields.append([])
        fields[-1].append(text)
        fresh = False
    return [Word("".join(one)[:MAX_EXPANDED], token.line, tuple(missing)) for one in fields]


def _elements(token: Token, scope: Scope) -> list[Word] | None:
    """The elements of an array, where a word is that array."""
    if len(token.parts) != 1 or token.parts[0].quote == "literal":
        return None
    match = _BRACED.fullmatch(token.parts[0].text)
    if match is None or match[3] not in ("@", "*") or match[1] or match[2] not in scope.arrays:
        return None
    return scope.arrays[match[2]] if not match[4] or match[4].startswith((":", "-", "+")) else None


def joined(parts: tuple[Part, ...] | list[Part], scope: Scope, depth: int = 0) -> tuple[str, list[str]]:
    """Text of parts in one piece, as a quoted word or a here-document has it, and what is not known of it."""
    out, missing, size = [], [], 0
    for part in parts:
        text = part.text
        if part.quote != "literal":
            text, lacks = expansion(part.text, scope, depth)
            missing += lacks
        out.append(text[: max(MAX_EXPANDED - size, 0)] if part.quote != "literal" else text)
        size += len(text)
    return "".join(out), missing


def interpolated(text: str, known: Mapping[str, str]) -> tuple[str, list[str]]:
    """A text in which ``$X`` and ``${X:-4}`` are put in, without any meaning of quotes."""
    parts = Lexer(text).double(ends=False)
    return joined(parts, Scope(dict(known)))


def expansion(written: str, scope: Scope, depth: int = 0) -> tuple[str, list[str]]:
    """One expansion: its text and no names, or itself and what is not known of it."""
    if written.startswith("$((") and written.endswith("))"):
        result = _calculated(written[3:-2], scope)
        return (str(result), []) if isinstance(result, int) else (written, [result])
    if written.startswith(("$(", "`")):
        return written, [OUTPUT]
    match = _BRACED.fullmatch(written)
    if match is None and written.startswith("${"):
        return written, [f"{written[:40]}"]
    name = match[2] if match else written[1:]
    value = _value(name, match[3] if match else None, scope)
    if match is None or not (match[1] or match[4]):
        return (value[:MAX_EXPANDED], []) if value is not None else (written, [f"${name}"])
    operation = _OPERATION.fullmatch(match[4])
    if match[1] or operation is None or depth > MAX_NESTED:
        return (str(len(value)), []) if match[1] == "#" and value is not None else (written, [f"${name}"])
    if operation[1]:
        return _otherwise(written, name, value, operation[1], operation[2], scope, depth)
    pattern = operation[4] or ""
    if value is None or pattern.count("*") > 1 or re.search(r"[][?\\]", pattern):
        return written, [f"${name}"]
    return _changed(value, operation)[:MAX_EXPANDED], []


def _value(name: str, index: str | None, scope: Scope) -> str | None:
    elements = scope.arrays.get(name)
    if index is None or elements is None:
        return scope.variables.get(name, elements[0].text if elements else None)
    if index in "@*":
        return " ".join(one.text for one in elements)
    return elements[int(index)].text if int(index) < len(elements) else None


def _otherwise(
    written: str, name: str, value: str | None, sign: str, text: str, scope: Scope, depth: int
) -> tuple[str, list[str]]:
    """``${X:-a}``, ``${X:=a}``, ``${X:+a}``, ``${X:?a}``: another text where the variable is set, or is not."""
    isset = value is not None and (value != "" or ":" not in sign)
    if sign.endswith("+"):
        return _default(text, scope, depth) if isset else ("", [])
    if isset:
        return str(value)[:MAX_EXPANDED], []
    if sign.endswith("?"):
        return written, [f"${name}"]
    found, missing = _default(text, scope, depth)
    if sign.endswith("=") and not missing:
        scope.variables[name] = found
    return found if not missing else written, missing


def _default(text: str, scope: Scope, depth: int) -> tuple[str, list[str]]:
    try:
        parts = Lexer(text).word(ends=False)
    except InputError:
        return text, [OUTPUT]
    found, missing = joined(parts, scope, depth + 1)
    return found[:MAX_EXPANDED], missing


def _changed(value: str, operation: re.Match[str]) -> str:
    """``${X##*/}``, ``${X%.*}``, ``${X/a/b}``, ``${X,,}``, ``${X:0:3}``: parts of a text."""
    _, _, ends, pattern, slash, replaced, case, start, length = operation.groups()
    if case:
        return value.lower() if case[0] == "," else value.upper()
    if start is not None:
        rest = value[int(start) :]
        return rest[: int(length)] if length is not None else rest
    if slash:
        old, _, new = replaced.partition("/")
        return value.replace(old, new, -1 if slash == "//" else 1) if old else value
    head, star, tail = pattern.partition("*")
    if ends[0] == "#":
        last = value.rfind(tail) if ends == "##" else value.find(tail, len(head))
        fits = value.startswith(head) and (not star or last >= len(head))
        return value[(last + len(tail) if star else len(head)) :] if fits else value
    most = len(value) - len(tail)
    first = value.rfind(head, 0, most) if ends == "%" else value.find(head, 0, most)
    if not star:
        return value.removesuffix(pattern)
    return value[: first if head else most if ends == "%" else 0] if value.endswith(tail) and first >= 0 else value


def _calculated(text: str, scope: Scope) -> int | str:
    """The value of whole-number arithmetic, or what is not known of it."""
    unknown: list[str] = []

    def put(match: re.Match[str]) -> str:
        value = scope.variables.get(match[1], "")
        if not re.fullmatch(r"\s*-?\d{1,12}\s*", value, re.ASCII):
            unknown.append(f"${match[1]}")
        return f"({value.strip() or 0})"

    if len(text) > 200 or not _ARITHMETIC.fullmatch(text):
        return ARITHMETIC
    filled = _NAME.sub(put, text)
    if unknown:
        return unknown[0]
    try:
        return _evaluated(ast.parse(re.sub(r"\b0+(?=\d)", "", filled.strip()), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return ARITHMETIC


def _evaluated(node: Any) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluated(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _evaluated(node.left), _evaluated(node.right)
        if abs(left) < 2**63 and abs(right) < 2**63:
            return _OPERATORS[type(node.op)](left, right)
    raise ValueError(ast.dump(node)[:40])
