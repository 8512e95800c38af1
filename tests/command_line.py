"""The command `redbutton` as its users run it: in a process of its own."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

TIMEOUT_S = 20


def redbutton(
    *arguments: str, timeout: float = TIMEOUT_S, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end, which must come in `timeout` seconds."""
    return subprocess.run(
        [sys.executable, "-m", "redbutton.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


@contextlib.contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The command in the background, ended like with Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "redbutton.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)


def one_line(result: "subprocess.CompletedProcess[str]") -> str:
    """The one line of complaint; nothing else may have been said."""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]
