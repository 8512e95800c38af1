"""The journal in the real MicroPython interpreter, on the real littlefs over a flash in RAM."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import chip
import pytest

from redbutton.firmware import wire
from redbutton.virtual.board import SHIM, interpreter

EVENTS_A_DAY = 100
CYCLES = 100_000  # erasures that a sector of the Pico's flash stands (W25Q16JV)
EVENTS = 4000
WATCHDOG_MS = 8000  # while flash is written


def run(*arguments: str) -> str:
    """The last line of the script; before it littlefs may complain of files that power left open.

    The chip's modules are stood in for: the lockout is recorded by board.py.
    """
    done = subprocess.run(
        [interpreter(), "-X", "heapsize=32m", str(chip.HERE / "chip_journal.py"), *arguments],
        env={"MICROPYPATH": f"{chip.FIRMWARE}:{SHIM}:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=chip.END_S,
        check=False,
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed:")]
    assert not failed, "\n".join(failed)
    return done.stdout.strip().splitlines()[-1]


def trials(*arguments: str) -> int:
    """How many trials went well; all of them did."""
    verdict, _, number = run(*arguments).partition(" ")
    assert verdict == "OK", (verdict, number)
    return int(number)


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize(
    ("where", "at_least"), [("every", 4000), ("some", 400), ("boot", 500)], ids=str
)
def test_a_loss_of_power_at_any_byte_loses_no_entry_that_was_written(where, at_least):
    """More than one round of the ring; afterwards the journal goes on."""
    assert trials("cut", where) >= at_least


@pytest.mark.requirement("SR-22")
def test_a_torn_or_garbled_last_entry_is_dropped_and_nothing_before_it(tmp_path: Path):
    """On a file system that, unlike littlefs, tears files; and appending goes on behind it."""
    assert trials("torn", str(tmp_path)) >= 1000


@pytest.mark.requirement("SR-22")
def test_an_error_of_any_operation_of_the_flash_is_counted_and_loses_nothing():
    assert trials("errors") >= 90


@pytest.mark.requirement("SR-22")
def test_a_full_flash_is_counted_and_what_is_lost_is_recorded_when_there_is_room():
    assert trials("full") == 768


@pytest.mark.requirement("SR-16", "SR-22")
def test_a_loss_of_power_while_a_lockout_is_recorded_never_ends_a_lockout():
    assert trials("lockout") >= 900


@pytest.mark.requirement("SR-22")
def test_wear_is_bounded(say: Callable[[str], None]):
    """On a file system of the Pico's size with firmware in it."""
    wear = json.loads(run("wear", str(EVENTS)))

    # A block is worn evenly, so its share of the erasures is what all events give it.
    events = CYCLES * EVENTS // wear["most_of_a_block"]
    years = events / EVENTS_A_DAY / 365
    assert wear["failures"] == 0
    assert wear["erasures"] <= EVENTS
    assert years > 50
    assert 0 < wear["slowest_write_ms"] < WATCHDOG_MS / 2
    say(
        f"journal: {wear['erasures'] / EVENTS:.2f} sectors erased an event, at most "
        f"{wear['most_in_a_write']} at once (at most {wear['slowest_write_ms']} ms); the most "
        f"worn sector lasts {events / 1e6:.1f} million events, {years:.0f} years of "
        f"{EVENTS_A_DAY} a day"
    )


def test_the_folder_of_the_entries_hides_no_module():
    """MicroPython would import a folder rather than the file of that name."""
    modules = {Path(name).stem for name in os.listdir(chip.FIRMWARE)}
    source = (chip.FIRMWARE / "journal.py").read_text()
    (folder,) = re.findall(r"""(?m)^FOLDER = ["'](\w+)["']""", source)
    assert folder not in modules


def test_an_answer_with_an_entry_fits_on_a_line():
    import struct

    size = struct.calcsize(wire.JOURNAL_LAYOUT) + struct.calcsize(wire.ENTRY_LAYOUT) + 16
    assert len(wire.encode(wire.JOURNAL, 0xFFFF, bytes(size)).strip()) <= wire.LINE_MAX
