"""Fingers on the virtual board: a socket beside its port that takes the words of its console.

A line in is one command of the console (`press`, `reset`, `key on` ...), a line out for each is
`done`, or what is wrong with it. It stands for the hands of a person who is at the board, a reset
included, so only the model has it: `redbutton virtual-board` makes it for its own user (mode
0600), and a real controller has nothing that it could be connected to.
"""

import contextlib
import os
import selectors
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from typing_extensions import Self

from redbutton.errors import RedbuttonError

LINE_MAX = 200
CLIENTS_MAX = 8
TURN_S = 0.2


def hands_path(port: str) -> Path:
    """Where the hands of the virtual board with this port are."""
    return Path(port + ".hands")


class Hands:
    """The model's end: does what each line says, in a thread. Use as a context manager."""

    def __init__(self, path: Path, do: Callable[[list[str]], None]) -> None:
        """Listen at `path`. `do` raises RedbuttonError or ValueError for what cannot be done.

        RedbuttonError if that path cannot be.
        """
        self._path = path
        self._do = do
        self._over = False
        self._ready = selectors.DefaultSelector()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()  # the port is linked anew, so whoever made this is gone
            self._socket.bind(str(path))
            os.chmod(path, 0o600)
            self._socket.listen(CLIENTS_MAX)  # nobody was let in before
        except OSError as error:
            self._ready.close()
            self._socket.close()
            raise RedbuttonError(f"no hands at {path}: {error}") from None
        self._ready.register(self._socket, selectors.EVENT_READ, self._accept)
        self._buffers: dict[socket.socket, bytes] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._thread.join()
        for client in list(self._buffers):
            self._drop(client)
        self._ready.close()
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _serve(self) -> None:
        while not self._over:
            for what, _ in self._ready.select(TURN_S):
                what.data(what.fileobj)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client, _ = listening.accept()
            client.setblocking(False)
            self._buffers[client] = b""
            self._ready.register(client, selectors.EVENT_READ, self._take)
        for client in list(self._buffers)[:-CLIENTS_MAX]:
            self._drop(client)

    def _take(self, client: socket.socket) -> None:
        try:
            data = client.recv(LINE_MAX)
        except OSError:
            data = b""
        *lines, rest = (self._buffers[client] + data).split(b"\n")
        self._buffers[client] = rest
        if not data or len(rest) > LINE_MAX:
            self._drop(client)
        for line in lines:
            self._tell(client, self._obey(line))

    def _obey(self, line: bytes) -> str:
        try:
            self._do(line.decode(errors="replace").split())
        except (RedbuttonError, ValueError, OSError) as error:
            return str(error)
        return "done"

    def _tell(self, client: socket.socket, text: str) -> None:
        """All of it or the client is gone: one that does not read is not waited for."""
        line = text.encode() + b"\n"
        try:
            if client not in self._buffers or client.send(line) == len(line):
                return
        except OSError:
            pass
        self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        if self._buffers.pop(client, None) is not None:
            self._ready.unregister(client)
            client.close()


class Fingers:
    """The other end: tells the hands what to do, and waits for nothing."""

    def __init__(self, path: Path) -> None:
        """OSError if there are no hands at `path`."""
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For select: readable when there is an answer."""
        return self._socket.fileno()

    def do(self, words: str) -> None:
        """Send one line. OSError if the hands are gone, or take no more."""
        self._socket.sendall(words.encode() + b"\n")

    def answers(self) -> list[str]:
        """What came of the lines, as far as told. OSError if the hands are gone."""
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionError("the virtual board is gone")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [line.decode() for line in lines]

    def close(self) -> None:
        """Let go."""
        self._socket.close()
