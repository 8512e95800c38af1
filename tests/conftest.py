"""What all tests share: the requirements table and the link key that everybody holds."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

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
