"""Ten seconds of `make soak`: few processors to spare, 200 clients, no false stop."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from soak import CLIENTS, NOBODY, soak, table

from redbutton.demo.stage import Stage
from redbutton.local import socket_path

SECONDS = 10.0
TIMEOUT_MS = 1000  # wide: other tests run beside this one. make soak has the default
PAUSE_S = 0.02
ASK = """
import os, socket, sys
path, user = sys.argv[1:]
if os.getuid() == 0:
    os.setuid(int(user))
with socket.socket(socket.AF_UNIX) as client:
    client.connect(path)
    client.sendall(b'{"stop": {"reason": "by a person in a crowd"}}\\n')
"""


@pytest.mark.requirement("SR-06")
@pytest.mark.requirement("SR-18")
def test_no_false_stop_in_a_crowd_and_a_stop_gets_through_it(say: Callable[[str], None]) -> None:
    """Measured at the board's end of the cable; the load is the truth."""
    stopped: list[bool] = []

    def stop(stage: Stage) -> None:
        path = str(socket_path(str(stage.port), stage.runtime))
        other = NOBODY - 1  # not the user of the crowd
        subprocess.run([sys.executable, "-c", ASK, path, str(other)], check=True, timeout=20)
        stopped.append(stage.board.wait_load(False, 5.0))
        state = stage.wait_state(lambda state: state.stopped, 5.0)
        assert state.first_cause == "stop requested"
        assert state.requested == f"user {other if os.getuid() == 0 else os.getuid()}: " + (
            "by a person in a crowd"
        )

    found = soak(
        SECONDS,
        timeout_ms=TIMEOUT_MS,
        busy=1,
        busy_nice=19,
        pause_s=PAUSE_S,
        say=lambda text: None,
        then=stop,
    )
    say(table(found, TIMEOUT_MS))
    assert found.stops == []
    assert stopped == [True]
    assert len(found.intervals) > SECONDS * 10, "some fifty heartbeats a second"
    heard = {one["kind"]: one for one in found.clients}
    assert sorted(heard) == sorted(CLIENTS)
    told = heard["readers"]["lines"] / CLIENTS["readers"] / SECONDS
    assert told > 5, "who reads is told ten times a second"
    assert heard["deaf"]["connected"] >= CLIENTS["deaf"]
    assert heard["garbage"]["sent"] > 100_000
    assert heard["connects"]["connected"] > 500
