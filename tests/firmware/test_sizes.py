"""The firmware's files compile and run in the memory of the chip.

The RP2040 has 264 KB; MicroPython's stock build leaves about 190 KB of it as heap. What fills it
takes nearly twice the room in the interpreter here, whose words are twice as wide.
"""

from pathlib import Path

import pytest
import sizes

COMPILE_KB = 96  # the longest file takes about 50
RUN_KB = (256, 288)  # of nearly 380, with the virtual board's plant and stand-ins inside


@pytest.mark.parametrize("file", sizes.files(), ids=lambda file: file.name)
def test_mpy_cross_takes_every_file(file: Path):
    assert sizes.bytecode(file).startswith(b"M\x06")


@pytest.mark.parametrize("file", sizes.files(), ids=lambda file: file.name)
def test_every_file_compiles_in_a_quarter_of_the_chips_heap(file: Path):
    assert sizes.compiles(file, COMPILE_KB)


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("kb", RUN_KB)
def test_the_firmware_reaches_run_and_stays_there_in_three_quarters_of_the_chips_heap(kb: int):
    assert sizes.runs(kb)


def test_a_heap_that_is_too_small_would_be_noticed():
    assert not sizes.runs(40)
    assert not sizes.compiles(sizes.FIRMWARE / "decide.py", 8)


def test_what_mpy_cross_refuses_would_be_noticed(tmp_path: Path):
    file = tmp_path / "refused.py"
    file.write_text("match 1:\n    case 1:\n        pass\n")
    with pytest.raises(ValueError, match="SyntaxError"):
        sizes.bytecode(file)
