"""Waiting for the process that writes a log."""

import time
from collections.abc import Callable

from redbutton.record.recorder import Recorder

WAIT_S = 60.0  # a shared machine; nothing is asserted of it


def until(recorder: Recorder, done: Callable[[], bool]) -> None:
    """Turn until it is so."""
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, recorder.problem
        recorder.turn(time.monotonic())
        time.sleep(0.002)
