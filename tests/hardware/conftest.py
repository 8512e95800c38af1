"""The modules of `hardware/`, and ngspice where it is there."""

import os
import shutil
import sys
from pathlib import Path

import pytest

HARDWARE = Path(__file__).parents[2] / "hardware"
sys.path.insert(0, str(HARDWARE))


@pytest.fixture(scope="session")
def ngspice() -> None:
    """Simulations need it: skipped without, but not where everything must be there."""
    if shutil.which("ngspice") is None:
        reason = "ngspice is not installed (Debian: apt-get install ngspice)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
