"""The documentation: its examples are run, its names exist, its formulas have a source, its pages stand alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from pydoc import locate

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from generator import navigation, offline, references, transcripts  # noqa: E402

DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT / "docs"))


@pytest.mark.parametrize("document", transcripts.documents(), ids=_name)
def test_examples_print_what_the_document_shows(document: Path) -> None:
    """After a change that moves numbers, ``make transcripts`` writes the new ones."""
    text = document.read_text("utf-8")
    assert transcripts.replayed(text).splitlines() == text.splitlines()


def test_an_output_may_be_cut_and_an_exit_code_is_shown() -> None:
    text = "```console\n$ llmperf --version\n...0\n$ llmperf show no-such-thing\n...1\n```"
    shown = transcripts.replayed(text).splitlines()
    assert shown == [
        *("```console", "$ llmperf --version", "...", "$ llmperf show no-such-thing"),
        *("error: name: nothing in the catalog is called 'no-such-thing' (see llmperf list)", "...", "```"),
    ]
    assert "[exit code 2]" in transcripts.replayed("```console\n$ llmperf show no-such-thing\n```")


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_names_of_the_package_exist(document: Path) -> None:
    assert [name for name in references.named(document.read_text("utf-8")) if locate(name) is None] == []


def test_names_become_links_to_the_page_of_a_module_or_to_an_anchor() -> None:
    page = references.linked(
        "<code>llmperf.a</code> <code>llmperf.a.b</code> <code>llmperf --help</code>", {"llmperf.a": "a.html"}
    )
    assert page.startswith('<a href="a.html"><code>llmperf.a</code></a> <autoref optional identifier="llmperf.a.b">')
    assert page.endswith(" <code>llmperf --help</code>")


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "theory").glob("*.md")), ids=_name)
def test_every_formula_has_its_source_and_its_code(page: Path) -> None:
    text = page.read_text("utf-8")
    after = re.split(r"^- Code: .*", text, flags=re.MULTILINE)
    assert "$$" not in after[-1]
    for part in after[:-1]:  # formulas of one thought may share a source
        assert "$$" in part
        assert "\n- Source: " in part.rpartition("$$")[2]


def test_a_pattern_of_the_navigation_holds_the_pages_that_nobody_names() -> None:
    nav = ["b.md", {"Part": ["later.md", "*.md", {"Deep": "deep/*.md"}]}, {"Empty": ["none/*.md"]}]
    files = ["a.md", "b.md", "c.md", "deep/d.md", "deep/er/e.md"]
    assert navigation.expanded(nav, files) == ["b.md", {"Part": ["a.md", "c.md", {"Deep": ["deep/d.md"]}]}]


def test_a_site_that_fetches_or_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text('<h2 id="here">h</h2>')
    (tmp_path / "good.html").write_text(
        '<link rel="canonical" href="https://example.org/"><a href="https://example.org">out</a>'
        '<a href="other.html#here">in</a><a href="#top" id="top">up</a><script src="a.js"></script>'
    )
    (tmp_path / "a.js").write_text("")
    assert offline.faults(tmp_path) == []
    (tmp_path / "bad.html").write_text(
        '<script src="https://cdn.example.org/a.js"></script><img src="//example.org/a.png">'
        '<link rel="stylesheet" href="https://fonts.example.org"><a href="other.html#gone">x</a>'
        '<a href="gone.html">y</a>'
    )
    css = "@import 'https://example.org/a.css'; a { background: url(https://example.org/b.png) }"
    (tmp_path / "bad.css").write_text(css)
    assert offline.faults(tmp_path) == [
        "bad.css: fetches https://example.org/a.css",
        "bad.css: fetches https://example.org/b.png",
        "bad.html: fetches https://cdn.example.org/a.js",
        "bad.html: fetches //example.org/a.png",
        "bad.html: fetches https://fonts.example.org",
        "bad.html: leads nowhere: other.html#gone",
        "bad.html: leads nowhere: gone.html",
    ]


def test_generated_pages_hold_the_catalog_the_commands_and_the_keys() -> None:
    pytest.importorskip("mkdocstrings", reason="needs the extra: docs")
    from generator.pages import pages
    from llmperf.interfaces.cli import COMMANDS
    from llmperf.scenarios import catalog

    found = {page.path: page.text for page in pages()}
    for name in catalog.files("hardware"):
        assert f'href="hardware/{name}.html"' in found["catalog/hardware.md"]
    for name in catalog.files("kv_cache"):
        assert f"### {name}\n" in found["catalog/kv-cache.md"].replace("\\", "")
    assert "989.4 TFLOP/s</td><td rowspan" not in found["catalog/hardware/h100-sxm.md"]  # one cell for one source
    assert "NVIDIA H100 data sheet halved" in found["catalog/hardware/h100-sxm.md"]
    for command in COMMANDS:
        assert f"## llmperf {command}\n" in found["reference/cli.md"]
    assert "<code>outlier_share</code>" in found["reference/files/weights.md"]
    assert "Share of elements that a sparse matrix" in found["reference/files/weights.md"]


def test_what_the_catalog_says_is_text_not_markup() -> None:
    pytest.importorskip("mkdocstrings", reason="needs the extra: docs")
    from generator.markup import cell, markdown, table

    assert cell("<script>alert(1)</script>").replace("<wbr>", "") == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert cell("see https://example.org/a.").startswith('see <a href="https://example.org/a')
    assert "arxiv.org/abs/2402.02750" in cell("KIVI (arXiv:2402.02750)")
    assert markdown("a*b*<i>") == r"a\*b\*&lt;i&gt;"
    assert table(("a", "b"), [("1", "x"), ("2", "x"), ("3", "y")], merged=True).count('rowspan="2">x') == 1


def test_formulas_are_drawn_without_a_script() -> None:
    pytest.importorskip("latex2mathml", reason="needs the extra: docs")
    from generator.formulas import rendered

    page = rendered(r'<p><span class="arithmatex">\(a &lt; b\)</span></p><div class="arithmatex">\[\frac{1}{2}\]</div>')
    assert "<mfrac>" in page
    assert "&#x0003C;" in page
    assert "arithmatex" not in page
