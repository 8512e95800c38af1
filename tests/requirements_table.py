"""Pytest plugin: which requirement is proven by which tests, and with what result.

What a test proves travels with its report, so that it may run in another process (pytest-xdist).
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

PROVES = "requirement"
REQUIREMENTS = Path(__file__).with_name("requirements.yaml")


class RequirementsTable:
    """Collects results by requirement; fails the run for one that should have a test and has none.

    Only a run over the whole of tests/ can say that a requirement has no test.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._requirements: dict[str, dict[str, str]] = yaml.safe_load(REQUIREMENTS.read_text())
        self._show = bool(config.getoption("--requirements-table"))
        root = str(config.rootpath / "tests")
        self._whole = not config.getoption("keyword") and all(
            str(Path(argument.split("::")[0]).resolve()) in (root, str(config.rootpath))
            for argument in config.args
        )
        self._tests: dict[str, list[str]] = {name: [] for name in self._requirements}
        self._results: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for name in [name for mark in item.iter_markers("requirement") for name in mark.args]:
                if name not in self._tests:
                    raise pytest.UsageError(f"REQUIREMENTS: {item.nodeid} names {name}")
                item.user_properties.append((PROVES, name))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for what, name in report.user_properties:
            if what == PROVES and report.nodeid not in self._tests[str(name)]:
                self._tests[str(name)].append(report.nodeid)
        worse = {"passed": 0, "skipped": 1, "failed": 2}
        before = self._results.get(report.nodeid, "passed")
        self._results[report.nodeid] = max(before, report.outcome, key=worse.__getitem__)

    def missing(self) -> list[str]:
        """What is wrong with the table itself."""
        unproven = [
            f"{name} has no test"
            for name, requirement in self._requirements.items()
            if "open" not in requirement and not self._tests[name]
        ]
        return unproven if self._whole else []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):  # a worker of pytest-xdist sees a part
            return
        if session.exitstatus == pytest.ExitCode.OK and self.missing():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for problem in self.missing():
            terminalreporter.write_line(f"REQUIREMENTS: {problem}", red=True)
        if not self._show:
            return
        terminalreporter.section("requirement -> tests -> result")
        for name, requirement in self._requirements.items():
            tests = self._tests[name]
            outcomes = [self._results.get(test, "not run") for test in tests]
            counts = ", ".join(
                f"{outcomes.count(outcome)} {outcome}"
                for outcome in ("passed", "failed", "skipped", "not run")
                if outcome in outcomes
            )
            state = counts or "no test"
            if "open" in requirement:
                state += f"; open, issue {requirement['open']}"
            terminalreporter.write_line(f"{name}  {state}")
            terminalreporter.write_line(f"       {requirement['text']}")
            for test, outcome in _by_function(tests, outcomes).items():
                terminalreporter.write_line(f"         {outcome:<8} {test}")


def _by_function(tests: list[str], outcomes: list[str]) -> dict[str, str]:
    """One line for all parameters of a test, with the worst result."""
    order = ("passed", "skipped", "not run", "failed")
    functions: dict[str, str] = {}
    for test, outcome in zip(tests, outcomes, strict=True):
        function = test.split("[")[0]
        functions[function] = max(functions.get(function, "passed"), outcome, key=order.index)
    return functions
