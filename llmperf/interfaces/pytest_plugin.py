"""The pytest plugin: check files are collected as tests, and ``llmperf_check`` is a check within a test.

Every pytest of an environment that has llmperf imports this module: what it needs of llmperf is imported on first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llmperf.checks import Checks
    from llmperf.checks.evaluation import Result
    from llmperf.checks.limits import Check
    from llmperf.errors import Problem

ENDINGS = (".llmperf.yaml", ".llmperf.yml")
"""As `llmperf.checks.files.ENDINGS`, which is not cheap to import."""


class NotUnderstoodWarning(pytest.PytestWarning):
    """Something of a deployment file that is not understood or not modelled."""


class CheckFailedError(Exception):
    """A check that does not hold; its text says why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Settings of the configuration file."""
    text = "whether check files of llmperf (*.llmperf.yaml) are collected as tests"
    parser.addini("llmperf_checks", text, type="bool", default=True)
    parser.addini("llmperf_catalog", "directories of descriptors that go before those of llmperf", type="paths")


def pytest_configure(config: pytest.Config) -> None:
    """A marker, so that ``-m`` selects checks."""
    config.addinivalue_line("markers", "llmperf: a check of a file *.llmperf.yaml")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Check files; a scenario with limits where the command line names it."""
    if not parent.config.getini("llmperf_checks"):
        return None
    wanted = file_path.name.endswith(ENDINGS)
    if not wanted and file_path.suffix in (".yaml", ".yml") and parent.session.isinitpath(file_path):
        from llmperf.checks.discovery import expects

        wanted = expects(file_path)
    file: pytest.Collector | None = CheckFile.from_parent(parent, path=file_path) if wanted else None
    return file


class CheckFile(pytest.File):
    """A file of checks; those that run are evaluated together when the first of them does."""

    def collect(self) -> Iterable[CheckItem]:
        """One test a check; faults of the file, all of them, are an error of the collection."""
        from llmperf.checks import collect

        self.results: dict[str, Result] = {}
        self.faults: list[Problem] = []
        checks, problems = collect([self.path], catalog=_catalog(self.config))
        problems += [problem for check in checks for problem in check.problems]
        if problems:
            raise self.CollectError(_listed(problems, self.config))
        return [CheckItem.of(self, check) for check in checks]

    def result(self, check: Check) -> Result:
        """What became of a check."""
        if check.name not in self.results:
            from llmperf.checks import advice, lock
            from llmperf.checks.evaluation import evaluate, judge

            items = [item for item in self.session.items if isinstance(item, CheckItem) and item.parent is self]
            wanted = [item.check for item in items]
            answers = evaluate(wanted, _catalog(self.config))
            judged = [judge(one, answered, date.today()) for one, answered in zip(wanted, answers, strict=True)]
            results, self.faults, _ = lock.compared(judged, update=False, whole=False)
            results = advice.advised(results, _catalog(self.config))
            self.results = {result.check.name: result for result in results}
        return self.results[check.name]


class CheckItem(pytest.Item):
    """One check."""

    check: Check
    parent: CheckFile

    @classmethod
    def of(cls, file: CheckFile, check: Check) -> CheckItem:
        """The test of a check: its tags are keywords of ``-k``, its skip is one of pytest."""
        from llmperf.checks.evaluation import judge
        from llmperf.checks.words import printable

        item: CheckItem = cls.from_parent(file, name=printable(check.name))
        item.check = check
        item.add_marker(pytest.mark.llmperf)
        item.extra_keyword_matches.update(check.keys.tags)
        unevaluated = judge(check, [], date.today())
        if unevaluated.status == "skipped":
            item.add_marker(pytest.mark.skip(reason=printable(unevaluated.reason)))
        return item

    def runtest(self) -> None:
        """Judge the check."""
        result = self.parent.result(self.check)
        for note in self.check.notes:
            if not note.startswith("assumed"):
                self.warn(NotUnderstoodWarning(f"{self.name}: {note}"))
        if self.parent.faults:
            raise CheckFailedError(_listed(self.parent.faults, self.config))
        if result.status not in ("passed", "skipped"):
            raise CheckFailedError(_why([result], self.config))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The limits that do not hold; of an error of llmperf the traceback."""
        if isinstance(excinfo.value, CheckFailedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check is written; pytest counts lines from 0."""
        return self.path, (self.check.place.line or 1) - 1, self.name


@pytest.fixture
def llmperf_check(request: pytest.FixtureRequest) -> Callable[..., Checks]:
    """Assert that checks hold: ``llmperf_check({"model": ..., "hardware": ..., "expect": {"fits": True}})``.

    It takes what `llmperf.check` does: a file, a directory, or a check file as data. A relative path is sought beside
    the test first, then in the working directory.

    Returns
    -------
    callable
        Gives the `llmperf.Checks`, so that a test can look at the values; where all checks are skipped, so is the test.

    Raises
    ------
    AssertionError
        If a check does not hold: every limit that does not, with its value and margin.
    InputError
        If the input is wrong: everything that is.
    """

    def checked(source: Any, **options: Any) -> Checks:
        __tracebackhide__ = True
        import llmperf

        options.setdefault("catalog", _catalog(request.config))
        if "deployment" in options:
            options["deployment"] = _near(options["deployment"], request.path)
        found = llmperf.check(_near(source, request.path), **options)
        if found.problems:
            raise llmperf.InputError(found.problems)
        if found.exit_code:
            raise AssertionError(_why(found.results, request.config))
        if found.results and all(result.status == "skipped" for result in found.results):
            pytest.skip("; ".join(dict.fromkeys(result.reason for result in found.results)))
        return found

    return checked


def _catalog(config: pytest.Config) -> tuple[str, ...]:
    return tuple(str(path) for path in config.getini("llmperf_catalog"))


def _near(source: Any, test: Path) -> Any:
    """A path, or those that a mapping's own keys hold, taken from the directory of the test where it is found there."""
    from llmperf.scenarios.catalog import beside

    if isinstance(source, Mapping):
        return {key: beside(value, str(test)) if isinstance(value, str) else value for key, value in source.items()}
    if isinstance(source, str | Path):
        near = test.parent / source
        return near if near.exists() else source
    return [_near(one, test) for one in source]


def _why(results: Iterable[Result], config: pytest.Config) -> str:
    """What does not hold, each at its line."""
    from llmperf.checks.words import of, printable

    lines = []
    for result in results:
        for finding in of(result):
            place = finding.place
            where = f"{_shown(place.file, config)}:{place.line or 1}: " if place.file else ""
            lines.append(printable(where + finding.message))
        if result.problems:
            lines.append(_listed(result.problems, config))
    return "\n".join(lines)


def _listed(problems: Iterable[Problem], config: pytest.Config) -> str:
    found = [str(replace(one, file=_shown(one.file, config) if one.file else None)) for one in problems]
    return "\n".join(dict.fromkeys(found))


def _shown(file: str, config: pytest.Config) -> str:
    """A file as seen from where pytest was started."""
    start = str(config.invocation_params.dir)
    return os.path.relpath(file, start) if Path(file).is_relative_to(start) else file
