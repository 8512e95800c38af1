"""The probe's serial port to its host."""

import select
import sys


class Port:
    """Reads without waiting, and sends one line at a time, while the host takes them."""

    LINES_MAX = 40

    def __init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._poll_out = select.poll()
        self._poll_out.register(sys.stdout, select.POLLOUT)
        self._byte = bytearray(1)
        self._lines: list[bytes] = []

    def read(self, into: bytearray) -> int:
        """Put what is there at the beginning of `into`; how many bytes."""
        count = 0
        while count < len(into):
            there = 0
            for _ in self._poll.ipoll(0):
                there = sys.stdin.buffer.readinto(self._byte) or 0
            if not there:
                break
            into[count] = self._byte[0]
            count += 1
        return count

    def write(self, line: bytes) -> None:
        """Send it as soon as it can be; dropped if the host does not take what is queued."""
        if len(self._lines) < self.LINES_MAX:
            self._lines.append(line)

    def flush(self) -> None:
        """Send a line, if one waits and the host takes it.

        MicroPython waits half a second at most for a host that stops reading in the middle of it.
        """
        if self._lines:
            for _ in self._poll_out.ipoll(0):
                sys.stdout.buffer.write(self._lines.pop(0))
                return
