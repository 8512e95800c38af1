"""A terminal with a person at it: a pseudo-terminal, and an emulator that keeps its screen."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any

import pyte
from typing_extensions import Self

# The terminal becomes the controlling one, so that Ctrl-C is a signal as everywhere.
BEGIN = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.executable, [sys.executable, "-m", "redbutton.cli", *sys.argv[1:]])
"""
END_S = 10.0
DRAWN_S = 0.02  # still for so long: nobody is drawing


class Terminal:
    """The command line in a terminal of its own. Use as a context manager."""

    def __init__(self, *arguments: str, columns: int = 80, rows: int = 24, **env: str) -> None:
        self._master, self._slave = os.openpty()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.sent = b""
        self.resize(columns, rows)
        self.before = self.mode()
        inherited = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            env={**inherited, "TERM": "xterm-256color", **env},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def mode(self) -> list[Any]:
        """How the terminal is set, see termios."""
        return termios.tcgetattr(self._slave)

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def press(self, keys: str) -> None:
        """The person types."""
        os.write(self._master, keys.encode())

    def look(self, seconds: float = 0.05) -> str:
        """What is on the screen, watched for so long and drawn to its end."""
        end = time.monotonic() + seconds
        while select.select([self._master], [], [], max(DRAWN_S, end - time.monotonic()))[0]:
            data = os.read(self._master, 65536)
            self.sent += data
            self._stream.feed(data)
        return "\n".join(self._screen.display)

    def wait_for(self, *texts: str, timeout: float = 15.0) -> str:
        """The screen as soon as it shows all of these."""
        end = time.monotonic() + timeout
        while not all(text in (shown := self.look()) for text in texts):
            assert time.monotonic() < end, f"not shown: {texts}\n{shown}"
            assert self.process.poll() is None, shown
        return shown

    def end(self) -> int:
        """Wait until the command ends; its exit code."""
        deadline = time.monotonic() + END_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.look()
        self.look()
        return self.process.wait(0)
