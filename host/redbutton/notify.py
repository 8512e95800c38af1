"""What a service tells systemd of itself: ready, its state in words, that it turns (sd_notify(3)).

Without systemd (no NOTIFY_SOCKET) nothing is told. Nothing here waits, and nothing here can fail:
what systemd does not take is not told.
"""

import contextlib
import os
import socket
import time

WATCHDOG_SHARE = 0.25  # of systemd's patience


class Notifier:
    """One datagram socket to the service manager."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # An abstract address begins with a zero byte, which no variable can hold (unix(7)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._period = _watchdog_s() * WATCHDOG_SHARE
        self._turned = float("-inf")
        self._status = ""

    def tell(self, *lines: str) -> None:
        """Lines as sd_notify(3) has them, such as READY=1."""
        if self._address and lines:
            with contextlib.suppress(OSError, ValueError):
                self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)

    def turned(self, status: str) -> None:
        """The loop that makes the heartbeat has turned; what it sees, in one line.

        Call it from nowhere else: it is what the watchdog trusts.
        """
        lines = []
        now = time.monotonic()
        if self._period and now - self._turned >= self._period:
            self._turned = now
            lines.append("WATCHDOG=1")
        if status != self._status:
            self._status = status
            lines.append(f"STATUS={' '.join(status.split())}")
        self.tell(*lines)

    def close(self) -> None:
        """Nothing more is told."""
        self._socket.close()


def _watchdog_s() -> float:
    """How long systemd waits for a sign of life (sd_watchdog_enabled(3)); 0.0: it does not."""
    try:
        meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 if meant else 0.0
    except ValueError:
        return 0.0
