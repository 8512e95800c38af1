"""`redbutton demo`, the main job: what it shows, and that it would say so if it were not so."""

import json
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from redbutton.demo.story import Story

STOPS = [
    "button pressed",
    "stop requested",
    "gate killed (SIGKILL)",
    "gate stopped (SIGSTOP)",
    "serial unplugged",
]


@pytest.mark.requirement("SR-07", "SR-10")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("option", ["--ros", "--no-ros"])
def test_the_demo_shows_five_stops_and_that_no_attempt_succeeds(ros: None, option: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "redbutton.cli", "demo", "--json", option],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [stop["stop"] for stop in summary["stops"]] == STOPS
    assert len(summary["attempts"]) == (22 if option == "--ros" else 14)
    assert all(attempt["load_dead"] for attempt in summary["attempts"])
    assert summary["wrong"] == []


def test_a_demo_that_sees_something_wrong_says_so() -> None:
    story = Story(Console(file=StringIO()), as_json=False)
    story.expect(True, "as it must be")
    story.expect(False, "dead after: button pressed")
    assert story.wrong == ["dead after: button pressed"]
