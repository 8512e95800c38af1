"""The owner's socket: other programs of this computer watch the state and request a stop.

What is said on it, and a client's end; the owner's end is `local_server`.

One line of JSON each way. The owner sends the state (`SafetyState`) to every client, at each
change and every 100 ms. A client may send {"stop": {"category": 0, "reason": "..."}}, and
{"journal": {"sequence": 1}} to be sent one {"journal": JournalAnswer}: nothing else is
understood, and nothing that a client sends can make the robot run.
"""

import hashlib
import json
import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from redbutton.errors import NoContact, RedbuttonError
from redbutton.journal import JournalAnswer
from redbutton.model import Frozen, SafetyState

SILENCE_S = 0.5
WAIT_S = 0.1
REASON_MAX = 200
ENVIRONMENT = "REDBUTTON_RUNTIME_DIR"
SYSTEM_FOLDER = Path("/run/redbutton")
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class StopRequest(Frozen):
    """A request to stop. `category` as in IEC 60204-1."""

    category: int = Field(default=0, ge=0, le=1)
    reason: str = Field(default="", max_length=REASON_MAX)


class Request(Frozen):
    """What a client may send."""

    stop: StopRequest


class Peer(Frozen):
    """Who is at the other end of a connection, as the kernel noted when it was made
    (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int


class JournalRequest(Frozen):
    """A question for an entry of the controller's journal."""

    sequence: int = Field(ge=0, lt=1 << 32)


class JournalQuestion(Frozen):
    """What a client may send, too."""

    journal: JournalRequest


def socket_path(port: str, folder: Path | None = None) -> Path:
    """Where the owner of `port` listens.

    In `folder`, else in $REDBUTTON_RUNTIME_DIR, else in /run/redbutton if we may listen there or
    somebody does, else in the user's runtime folder.
    """
    named = folder or os.environ.get(ENVIRONMENT)
    name = f"{Path(port).name[:20]}-{hashlib.sha256(port.encode()).hexdigest()[:8]}.sock"
    system = SYSTEM_FOLDER
    if named:
        folder = Path(named)
    elif system.is_dir() and (os.access(system, os.W_OK) or (system / name).exists()):
        folder = system
    else:
        user = os.environ.get("XDG_RUNTIME_DIR")
        folder = Path(user) / "redbutton" if user else Path(f"/tmp/redbutton-{os.getuid()}")
    return folder / name


def check_folder(folder: Path) -> None:
    """RedbuttonError if somebody could put a socket there who is not trusted: he would pass for
    the owner of the port, and tell of stops that did not happen.

    Trusted are root, ourselves, and whom root has given a folder where only root makes folders.
    """
    found, above = folder.stat(), folder.parent.stat()
    given = above.st_uid == 0 and not above.st_mode & OTHERS_WRITE
    if found.st_uid not in (0, os.getuid()) and not given:
        raise RedbuttonError(
            f"{folder} belongs to user {found.st_uid}: not used "
            f"(choose a folder with {ENVIRONMENT})"
        )
    if found.st_mode & OTHERS_WRITE:
        raise RedbuttonError(
            f"others may write in {folder}: not used (choose a folder with {ENVIRONMENT})"
        )


class Client:
    """The other end, for programs that may wait."""

    def __init__(self, path: Path) -> None:
        """Connect; OSError if nobody listens there, RedbuttonError if it is not to be trusted."""
        check_folder(path.parent)
        self.gone = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(SILENCE_S)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._heard = time.monotonic()
        self._buffer = b""

    def stop(self, request: StopRequest) -> None:
        """Ask for a stop."""
        line = Request(stop=request).model_dump_json() + "\n"
        try:
            self._socket.sendall(line.encode())
        except OSError:
            raise NoContact("the owner of the port is gone") from None

    def journal(self, sequence: int, timeout: float) -> JournalAnswer:
        """Ask for an entry of the journal, and wait for what the controller answers."""
        question = JournalQuestion(journal=JournalRequest(sequence=sequence))
        deadline = time.monotonic() + timeout
        buffer = b""
        try:
            self._socket.sendall(question.model_dump_json().encode() + b"\n")
            while time.monotonic() < deadline:
                data = self._socket.recv(65536)
                if not data:
                    raise NoContact("the owner of the port is gone")
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    if line.startswith(b'{"journal"'):
                        answer = JournalAnswer.model_validate(json.loads(line)["journal"])
                        if answer.asked == sequence:
                            return answer
        except TimeoutError:
            raise NoContact("the owner of the port is silent") from None
        except OSError:
            raise NoContact("the owner of the port is gone") from None
        raise NoContact("the controller does not answer for its journal")

    def fileno(self) -> int:
        """For select: readable when the owner has told something, or is gone."""
        return self._socket.fileno()

    def take(self) -> list[SafetyState]:
        """Every state that the owner has told meanwhile, without waiting.

        UNKNOWN if it has been silent for 0.5 s, or is `gone`.
        """
        silent = time.monotonic() - self._heard > SILENCE_S
        if not select.select([self._socket], [], [], 0)[0]:
            return [SafetyState(problem="the owner of the port is silent")] if silent else []
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.gone = True
            return [SafetyState(problem="the owner of the port is gone")]
        self._heard = time.monotonic()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if silent:
            return []  # we slept: what lay in the buffer is old
        return [
            SafetyState.model_validate_json(line)
            for line in lines
            if not line.startswith((b'{"error"', b'{"journal"'))
        ]

    def states(self) -> Iterator[SafetyState]:
        """What `take` gives, waiting for it, until the owner is gone."""
        self._heard = time.monotonic()
        while not self.gone:
            select.select([self._socket], [], [], WAIT_S)
            yield from self.take()

    def close(self) -> None:
        """Leave."""
        self._socket.close()
