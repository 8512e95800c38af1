"""The cable between the virtual board and the host: a pseudo-terminal that can be unplugged."""

import contextlib
import os
import select
import termios
import threading
import tty
from collections.abc import Callable
from pathlib import Path

CHUNK = 4096


class Cable:
    """Carries bytes between the board's serial pipes and a pseudo-terminal, in a thread.

    The host opens the link at `port` with pyserial like any serial port. Unplugged, the terminal
    is gone (the host sees a hang-up) and the board's output is lost, as on USB. The last bytes
    that the host sent are kept in `heard`, for whoever wants to replay them. `tap` is called in
    that thread with all that goes by, and whether it goes to the board.
    """

    HEARD_MAX = 16384

    def __init__(
        self, port: Path, board_in: int, board_out: int, touched: Callable[[], None]
    ) -> None:
        """`board_in`, `board_out`: file descriptors of the board's serial input and output.

        `touched` is called when a host has set the line speed to 1200 baud.
        """
        self.port = port
        self._board_in = board_in
        self._board_out = board_out
        self._touched = touched
        self._speed = 0
        self._wake_out, self._wake_in = os.pipe()
        self._lock = threading.Lock()
        self._master: int | None = None
        self._over = False
        self.heard = b""
        self.tap: Callable[[bool, bytes], None] | None = None
        self.plug()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def plug(self) -> None:
        """Plug it in (again): a new terminal, linked at `port`."""
        with self._lock:
            if self._master is not None:
                return
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._slave = slave  # kept open: without it the master sees hang-ups between hosts
            self._link(os.ttyname(slave))
            self._master = master
        self._wake()

    def unplug(self) -> None:
        """Pull it out."""
        with self._lock:
            if self._master is None:
                return
            with contextlib.suppress(FileNotFoundError):
                self.port.unlink()
            os.close(self._slave)
            os.close(self._master)
            self._master = None
        self._wake()

    def close(self) -> None:
        """Unplug for good."""
        self._over = True
        self.unplug()
        self._wake()
        self._thread.join(2)
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _watch_speed(self, master: int) -> None:
        """Tell of a line speed of 1200 baud, once each time that it is set."""
        speed = termios.tcgetattr(master)[5]
        if speed != self._speed:
            self._speed = speed
            if speed == termios.B1200:
                self._touched()

    def _link(self, terminal: str) -> None:
        new = self.port.with_name(self.port.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(terminal)
        new.replace(self.port)

    def _wake(self) -> None:
        os.write(self._wake_in, b".")

    def _carry(self) -> None:
        to_board = b""
        to_host = b""
        while not self._over:
            master = self._master
            readable = [self._wake_out]
            writable = []
            if len(to_host) < CHUNK:
                readable.append(self._board_out)
            if master is not None:
                if len(to_board) < CHUNK:
                    readable.append(master)
                if to_host:
                    writable.append(master)
            if to_board:
                writable.append(self._board_in)
            try:
                ready, free, _ = select.select(readable, writable, [], 0.1)
            except OSError:
                continue  # the cable was pulled while we waited
            if self._wake_out in ready:
                os.read(self._wake_out, 64)
            if self._board_out in ready:
                data = _read(self._board_out)
                if data is None:
                    return
                to_host += data
            with self._lock:
                if self._master is None or self._master != master:
                    to_host = b""
                else:
                    self._watch_speed(master)
                    if master in ready:
                        data = _read(master) or b""
                        self.heard = (self.heard + data)[-self.HEARD_MAX :]
                        to_board += data
                        self._tell(True, data)
                    if master in free:
                        sent = _write(master, to_host)
                        self._tell(False, to_host[:sent])
                        to_host = to_host[sent:]
            if self._board_in in free:
                to_board = to_board[_write(self._board_in, to_board) :]

    def _tell(self, to_board: bool, data: bytes) -> None:
        if self.tap is not None:
            self.tap(to_board, data)


def _read(handle: int) -> bytes | None:
    """What is there; None at the end."""
    try:
        return os.read(handle, CHUNK) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def _write(handle: int, data: bytes) -> int:
    try:
        return os.write(handle, data)
    except OSError:
        return 0
