"""Tables of text: each line fits, nothing is lost, columns stay in line whatever characters stand in them."""

from __future__ import annotations

import re
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from llmperf.interfaces.console.style import Console, table, text
from llmperf.interfaces.console.tables import Table, bold, cells, coloured, folded, unstyled

WORDS = st.text(st.sampled_from("ab -,.█·─模型ﾓﾃé\u0301ж"), max_size=30)
STYLED = st.one_of(WORDS, WORDS.map(bold), WORDS.map(lambda words: coloured(words, "red")))
Rows = list[tuple[str, str, str]]
ROWS = st.lists(st.tuples(STYLED, STYLED, STYLED), max_size=6)


def made(rows: Rows, title: str = "") -> Table:
    shown = table("name", "a number", "and more", title=title)
    shown.columns[2].right, shown.columns[2].folds = False, True
    for row in rows:
        shown.add_row(*row)
    return shown


def letters(words: str) -> list[str]:
    """What is not blank, and no rule."""
    return sorted(re.sub(r"[\s─]", "", unstyled(words)))


@given(WORDS)
def test_widths_are_those_of_the_terminal_library(words: str) -> None:
    assert cells(words) == cell_len(words)
    assert cells(bold(words)) == cell_len(words)


@given(STYLED, st.integers(2, 40))
def test_folded_lines_fit_and_lose_nothing_but_blanks(words: str, width: int) -> None:
    lines = folded(words, width)
    assert max(map(cells, lines)) <= width
    assert letters("".join(lines)) == letters(words)


@given(st.text("ab ", max_size=30).map(str.strip), st.integers(3, 12))
def test_words_that_fit_a_line_are_not_cut(words: str, width: int) -> None:
    if all(len(word) <= width for word in words.split()):
        assert [word for line in folded(words, width) for word in line.split()] == words.split()


@given(STYLED, st.integers(2, 40))
def test_a_style_ends_with_its_line_and_goes_on_in_the_next(words: str, width: int) -> None:
    begun = re.match(r"\x1b\[\d+m", words)
    for line in folded(words, width):
        assert line.count("\x1b") in (0, 2)
        if begun and len(folded(words, width)) > 1 and unstyled(line):
            assert line.startswith(begun[0])
            assert line.endswith("\x1b[0m")


@given(ROWS, WORDS, st.integers(11, 120))
def test_every_line_of_a_table_fits_and_no_cell_is_cut(rows: Rows, title: str, width: int) -> None:
    lines = made(rows, title).lines(width)
    assert max(cell_len(unstyled(line)) for line in lines) <= width
    said = "".join((title, "name", "a number", "and more", *(cell for row in rows for cell in row)))
    assert letters("".join(lines)) == letters(said)


@given(st.lists(st.text("模a█", min_size=1, max_size=9), min_size=1, max_size=5))
def test_numbers_end_where_their_head_ends_beside_wide_characters(names: list[str]) -> None:
    shown = table("name", "number")
    for name in names:
        shown.add_row(name, "12")
    lines = [unstyled(line) for line in shown.lines(100)]
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}


def test_columns_that_fold_give_way_before_numbers_do() -> None:
    shown = table("name", "number")
    shown.add_row("one two three four", "1,234,567")
    lines = [unstyled(line) for line in shown.lines(20)]
    assert lines == ["name          number", "─" * 20, "one two    1,234,567", "three", "four"]


def test_a_head_of_several_lines_stands_upon_the_rule() -> None:
    shown = table("name", "a\nb")
    shown.add_row("x", "1")
    shown.add_section()
    shown.add_row("y", "2")
    assert [unstyled(line) for line in shown.lines(20)] == ["      a", "name  b", "───────", "x     1", "", "y     2"]


def test_styles_reach_colour_terminals_alone_and_foreign_codes_none() -> None:
    for colours in (False, True):
        stream = StringIO()
        out = Console(stream, 80, colours)
        out.print(bold("good"))
        out.print(made([(text("\x1b[31mred\x07"), "1", coloured("2", "green"))]))
        shown = stream.getvalue()
        assert ("\x1b[1mgood\x1b[0m\n" in shown) is colours
        assert ("\x1b[32m2\x1b[0m" in shown) is colours
        assert r"\x1b[31mred\x07" in shown
        assert "\x1b[31m" not in shown
        assert ("\x1b" in shown) is colours
