"""Reports in a real browser: everything is drawn, nothing is asked for, and it reads well on every medium.

Skipped where there is no Chromium or no Playwright. ``LLMPERF_CHROMIUM`` names another browser, ``LLMPERF_SCREENSHOTS``
a folder that screenshots are kept in.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("plotly")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")

from llmperf.errors import InputError  # noqa: E402 (after the skips)
from llmperf.interfaces.report import page as shell  # noqa: E402
from llmperf.interfaces.report import pictures  # noqa: E402
from llmperf.interfaces.report.inputs import gather  # noqa: E402
from llmperf.interfaces.report.report import page, save  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("LLMPERF_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
HOSTILE = "<script>alert(1)</script>"
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 800}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: apt-get install chromium, or name it in LLMPERF_CHROMIUM"
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def inputs():
    scenario = {
        "name": HOSTILE,
        "description": "</script><img src=x onerror=alert(2)>",
        "model": "llama-3.1-8b",
        "hardware": "h100-sxm",
        "workload": {"batch": 8, "input": 1024, "output": 128},
    }
    sweeps = {"batch": 2.0 ** np.arange(9)}
    limits = {"ttft_s": 0.1, "tpot_s": 0.02}
    return gather([scenario], {}, variants=[{"weights": "fp8"}], sweeps=sweeps, limits=limits, date="2026-01-31")


@pytest.fixture(scope="module")
def report(tmp_path_factory, inputs):
    return save(page(inputs), tmp_path_factory.mktemp("report") / "report.html")


class Visit:
    """A page with everything that it asked for and complained of."""

    def __init__(self, browser, path, **context):
        self.context = browser.new_context(**{"viewport": WIDE, **context})
        self.page = self.context.new_page()
        self.asked, self.said = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.goto(Path(path).as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")

    def keep(self, name):
        """A screenshot for those who look at what the tests have seen."""
        folder = os.environ.get("LLMPERF_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    def background(self, selector):
        """The brightness of an element's background. [1]"""
        color = self.page.eval_on_selector(selector, "one => getComputedStyle(one).backgroundColor")
        return sum(float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]) / 765.0

    def paper(self):
        """The fills of the figures' backgrounds."""
        return self.page.eval_on_selector_all(
            ".plot", "all => [...new Set(all.map(one => one._fullLayout.paper_bgcolor))]"
        )


@pytest.fixture
def visit(browser, report):
    opened = []

    def visited(path=report, **context):
        opened.append(Visit(browser, path, **context))
        return opened[-1]

    yield visited
    for one in opened:
        one.context.close()


def test_every_figure_is_drawn_with_its_data(visit, inputs):
    seen = visit()
    drawings = shell.named_drawings(page(inputs).sections)
    for name, drawing in drawings:
        plot = seen.page.locator(f"#figure-{name}-plot")
        assert plot.locator("svg.main-svg").count() >= 1, name
        shown = [trace for trace in drawing.figure.data if len(trace.x)]
        kinds = plot.locator(".scatterlayer > .trace, .barlayer > .trace, .scatterlayer .js-fill, .fills > g")
        assert kinds.count() >= len(shown) * 0.5, name
        box = plot.locator("svg.main-svg").first.bounding_box()
        assert box["width"] > 600, name
        assert abs(box["height"] - drawing.figure.layout.height) < 2, name
    assert len(drawings) >= 10
    assert seen.said == []
    seen.keep("light")


def test_no_request_leaves_the_page(visit, report):
    seen = visit()
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    seen.page.mouse.wheel(0, 5000)
    seen.page.wait_for_timeout(200)
    assert seen.asked == [report.as_uri()]


def test_what_is_smuggled_in_neither_runs_nor_calls_home(visit):
    seen = visit()
    seen.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.smuggled = true";
            document.body.append(script);
            const picture = new Image();
            picture.src = "http://127.0.0.1:9/pixel.png";
            document.body.append(picture);
        }"""
    )
    refused = seen.page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert refused
    assert seen.page.evaluate("window.smuggled") is None
    assert sum("Content Security Policy" in line for line in seen.said) >= 3


def test_hovering_names_the_configuration(visit):
    seen = visit()
    figure = seen.page.locator("#figure-pareto-plot")
    figure.scroll_into_view_if_needed()
    box = figure.locator(".scatterlayer .trace").last.locator(".point").nth(3).bounding_box()
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.wait_for_selector("#figure-pareto-plot .hoverlayer .hovertext")
    said = figure.locator(".hoverlayer").text_content()
    assert "batch" in said
    assert "tokens/s" in said
    seen.keep("hover")


def test_names_of_files_are_shown_as_text(visit):
    seen = visit()
    assert HOSTILE in seen.page.locator("#summary").inner_text()
    assert HOSTILE in seen.page.locator("#figure-throughput-plot .legend").text_content()
    assert (
        HOSTILE in seen.page.locator("#figure-memory-plot .yaxislayer-above, #figure-memory-plot").first.text_content()
    )
    assert "<img src=x onerror=alert(2)>" in seen.page.locator("#summary").inner_text()
    assert seen.page.locator("main img").count() == 0
    assert seen.said == []


def test_dark_follows_the_system_and_the_button(visit):
    seen = visit(color_scheme="dark")
    assert seen.background("body") < 0.2
    assert seen.paper() == ["#1B1B1F"]
    seen.keep("dark")
    button = seen.page.locator("#theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    seen.page.wait_for_function("() => document.querySelector('.plot')._fullLayout.paper_bgcolor === '#FFFFFF'")
    assert seen.background("body") > 0.9
    assert button.get_attribute("aria-pressed") == "false"
    assert seen.said == []


def test_on_paper_figures_are_whole_light_and_without_controls(visit, tmp_path):
    seen = visit(color_scheme="dark")
    seen.page.emulate_media(media="print")
    seen.page.set_viewport_size({"width": 680, "height": 1000})
    seen.page.wait_for_function("() => document.querySelector('.plot')._fullLayout.paper_bgcolor === '#FFFFFF'")
    assert not seen.page.locator("nav").is_visible()
    assert not seen.page.locator("#theme").is_visible()
    for plot in seen.page.locator(".plot").all():
        box, drawn = plot.bounding_box(), plot.locator("svg.main-svg").first.bounding_box()
        assert drawn["x"] + drawn["width"] <= 681
        assert drawn["height"] <= box["height"] + 1
    seen.keep("print")
    folder = Path(os.environ.get("LLMPERF_SCREENSHOTS") or tmp_path)
    seen.page.emulate_media(media=None)
    printed = seen.page.pdf(path=str(folder / "report.pdf"), format="A4")
    assert printed.count(b"/Type /Page\n") > len(seen.page.locator("section").all()) / 2
    seen.page.wait_for_function("() => document.querySelector('.plot')._fullLayout.paper_bgcolor === '#1B1B1F'")
    assert seen.said == []


def test_on_a_phone_nothing_scrolls_sideways(visit):
    seen = visit(viewport=PHONE, device_scale_factor=2, is_mobile=True, has_touch=True)
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for plot in seen.page.locator(".plot svg.main-svg").all():
        box = plot.bounding_box()
        assert box is None or box["x"] + box["width"] <= PHONE["width"]
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    seen.keep("phone")
    assert seen.said == []


def test_figures_follow_the_width_of_the_window(visit):
    seen = visit()
    seen.page.set_viewport_size({"width": 700, "height": 900})
    seen.page.wait_for_function(
        "() => document.querySelector('.plot svg.main-svg').getBoundingClientRect().width < 660"
    )
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 700


def test_the_keyboard_reaches_everything(visit):
    seen = visit()
    focused = "[document.activeElement.tagName, document.activeElement.className, document.activeElement.id]"
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate(focused)[1] == "skip"
    assert seen.page.locator(".skip").bounding_box()["x"] >= 0
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate(focused)[2] == "content"
    seen.page.locator("#theme").focus()
    seen.page.keyboard.press("Space")
    assert seen.page.locator("#theme").get_attribute("aria-pressed") == "true"
    summary = seen.page.locator("details.data > summary").first
    summary.focus()
    seen.page.keyboard.press("Enter")
    assert seen.page.locator("details.data").first.get_attribute("open") is not None
    assert seen.page.locator("details.data table").first.is_visible()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate(focused)[1] == "scroll"


def test_a_split_report_opens_from_the_disk(visit, tmp_path, inputs):
    path = save(page(inputs), Path("my.html"), tmp_path)
    seen = visit(path)
    assert seen.page.locator(".plot svg.main-svg").count() >= 10
    assert seen.asked == [path.as_uri(), (tmp_path / shell.SCRIPT).as_uri()]
    assert seen.said == []


def test_without_scripts_the_tables_remain(browser, report):
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(report.as_uri())
    assert "needs JavaScript" in opened.locator(".plot").first.inner_text()
    opened.locator("details.data > summary").first.click()
    assert opened.locator("details.data table").first.is_visible()
    context.close()


@pytest.mark.filterwarnings("ignore")
def test_pictures_are_written_in_every_format_and_replaced_only_when_told(tmp_path, inputs):
    pytest.importorskip("kaleido", reason="kaleido is not installed: pip install 'llmperf[pictures]'")
    drawings = shell.named_drawings(page(inputs).sections)[:2]
    folders = {"png": tmp_path / "png", "svg": tmp_path, "pdf": tmp_path}
    found = pictures.save(drawings, folders)
    assert [path.name for path in found] == [f"{name}.{form}" for form in folders for name, _ in drawings]
    starts = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}
    for path in found:
        assert path.read_bytes().startswith(starts[path.suffix[1:]])
    with pytest.raises(InputError, match="exists already"):
        pictures.save(drawings, folders)


def test_a_service_is_drawn_along_its_load_with_what_was_asked(visit, tmp_path):
    scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "vllm", "traffic": {"request_rate": 10}}
    made = gather([scenario], {}, variants=[{"traffic": {"concurrency": 64}}], limits={"ttft_s": 0.1})
    seen = visit(save(page(made), tmp_path / "service.html"))
    seen.keep("service")
    assert seen.said == []
    text = seen.page.inner_text("#serving")
    assert text.count("A service along its") == 2
    for words in ("asked", "most within limits", "saturation", "limit 100 ms"):
        assert seen.page.locator(f"#serving .plot .annotation-text >> text={words}").count() == 2
