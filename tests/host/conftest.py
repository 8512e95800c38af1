"""What the tests of the command line share."""

from pathlib import Path

import pytest


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """Where the virtual board's port is linked."""
    return tmp_path / "port"
