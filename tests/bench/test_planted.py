"""Defects that are planted into the firmware are found, each by the run that is named here."""

from pathlib import Path

import pytest

from redbutton.bench.planted import DEFECTS, find, finds
from redbutton.bench.run import Plan, parse

FOUND_BY = {
    "heartbeat-ignored": "unplugged:none:1",
    "heartbeat-late": "host-killed:none:1",
    "stop-request-ignored": "stop-request:none:1",
    "category-0-delayed": "stop-request:none:1",
    "stopping-never-ends": "stop-request-category-1:none:1",
    "no-latch": "button:none:1",
    "reset-on-press": "reset-too-short:none:1",
    "press-too-short": "reset-too-short:none:1",
    "press-before-the-stop": "reset-held-through-stop:none:1",
    "no-discrepancy-check": "lockout:none:1",
    "discrepancy-not-latched": "lockout:none:1",
    "lockout-left-by-key": "lockout:none:1",
    "no-test": "pressed-in-test:none:1",
    "test-drives-both": "button:none:1",
    "watchdog-always-fed": "button:none:1",
    "mirrors-unchecked-in-run": "stop-request:mirror_2.stuck-closed@150:1",
    "k2-never-off": "stop-request:relay_1.stuck-closed@299:1",
    "lost-interrupts-unnoticed": "button:contact_a.interrupt-lost@299:1",
}


@pytest.mark.parametrize("defect", FOUND_BY)
def test_a_planted_defect_is_found(defect: str, tmp_path: Path) -> None:
    assert finds(parse(FOUND_BY[defect]), DEFECTS[defect].plant(tmp_path / "firmware"))


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_fits_the_firmware_as_it_stands(defect: str, tmp_path: Path) -> None:
    (changed, sound) = DEFECTS[defect].plant(tmp_path / "firmware")
    file = DEFECTS[defect].file
    assert (changed / file).read_text() != (sound / file).read_text()


def test_the_search_says_after_how_many_runs_it_found_it(tmp_path: Path) -> None:
    runs = [Plan(scenario=name) for name in ("power-up", "stop-request", "button")]
    found = find(DEFECTS["stop-request-ignored"], runs, tmp_path / "firmware")
    assert (found.plan, found.runs) == (runs[1], 2)
    found = find(DEFECTS["stop-request-ignored"], runs[:1], tmp_path / "again")
    assert (found.plan, found.runs) == (None, 1)
