"""The modules of `hardware/`, and ngspice and Graphviz where they are there."""

import os
import shutil
import sys
from pathlib import Path

import pytest

HARDWARE = Path(__file__).parents[2] / "hardware"
sys.path.insert(0, str(HARDWARE))


def _needed(command: str, package: str) -> None:
    if shutil.which(command) is None:
        reason = f"{command} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def ngspice() -> None:
    """Simulations need it: skipped without, but not where everything must be there."""
    _needed("ngspice", "ngspice")


@pytest.fixture(scope="session")
def graphviz() -> None:
    """Drawings need it, in the same way."""
    _needed("dot", "graphviz")
