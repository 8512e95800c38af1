"""What all tests share: the requirements table and the link key that everybody holds."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from firmware_coverage import FirmwareCoverage
from requirements_table import RequirementsTable

# Before any other module of the tests imports the firmware.
COVERAGE = FirmwareCoverage() if "--firmware-coverage" in sys.argv else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--requirements-table", action="store_true", help="print requirement -> tests -> result"
    )
    parser.addoption(
        "--firmware-coverage", action="store_true", help="print the firmware's lines not reached"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RequirementsTable(config), "requirements-table")
    if COVERAGE:
        config.pluginmanager.register(COVERAGE, "firmware-coverage")


SAID = "said"


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print something at the end of the run, whatever process the test is in."""
    return lambda text: record_property(SAID, text)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            for what, text in getattr(report, "user_properties", ()):
                if what == SAID and report.when == "call":
                    terminalreporter.write_line(f"\n{text}")


@pytest.fixture
def key() -> bytes:
    """The link key that controller and host hold."""
    return bytes(range(32))


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for sockets (whose paths must be short): tests do not meet."""
    with tempfile.TemporaryDirectory(prefix="rb-") as folder:
        monkeypatch.setenv("REDBUTTON_RUNTIME_DIR", folder)
        yield Path(folder)
