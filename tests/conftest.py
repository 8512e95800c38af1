"""What all tests share: the requirements table and the link key that everybody holds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from requirements_table import RequirementsTable


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--requirements-table", action="store_true", help="print requirement -> tests -> result"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RequirementsTable(config), "requirements-table")


@pytest.fixture
def key() -> bytes:
    """The link key that controller and host hold."""
    return bytes(range(32))


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for sockets, so that tests do not meet."""
    folder = tmp_path / "run"
    monkeypatch.setenv("REDBUTTON_RUNTIME_DIR", str(folder))
    return folder
