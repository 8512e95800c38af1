"""The owner's socket: other programs of this computer watch the state and request a stop.

One line of JSON each way. The owner sends the state (`SafetyState`) to every client, at each
change and every 100 ms. A client may send {"stop": {"category": 0, "reason": "..."}}, and
{"journal": {"sequence": 1}} to be sent one {"journal": JournalAnswer}: nothing else is
understood, and nothing that a client sends can make the robot run.
"""

import contextlib
import hashlib
import json
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, ValidationError

from redbutton.errors import NoContact, RedbuttonError
from redbutton.journal import JournalAnswer
from redbutton.model import Frozen, SafetyState, first_problem

STATE_PERIOD_S = 0.1
SILENCE_S = 0.5
WAIT_S = 0.1
LINE_MAX = 4096
CLIENTS_MAX = 32
ENVIRONMENT = "REDBUTTON_RUNTIME_DIR"


class StopRequest(Frozen):
    """A request to stop. `category` as in IEC 60204-1."""

    category: int = Field(default=0, ge=0, le=1)
    reason: str = Field(default="", max_length=200)


class Request(Frozen):
    """What a client may send."""

    stop: StopRequest


class JournalRequest(Frozen):
    """A question for an entry of the controller's journal."""

    sequence: int = Field(ge=0, lt=1 << 32)


class JournalQuestion(Frozen):
    """What a client may send, too."""

    journal: JournalRequest


def socket_path(port: str, folder: Path | None = None) -> Path:
    """Where the owner of `port` listens.

    In `folder`, else in $REDBUTTON_RUNTIME_DIR, else in /run/redbutton, else in the user's
    runtime folder.
    """
    named = folder or os.environ.get(ENVIRONMENT)
    system = Path("/run/redbutton")
    if named:
        folder = Path(named)
    elif system.is_dir() and os.access(system, os.W_OK):
        folder = system
    else:
        user = os.environ.get("XDG_RUNTIME_DIR")
        folder = Path(user) / "redbutton" if user else Path(f"/tmp/redbutton-{os.getuid()}")
    name = f"{Path(port).name[:20]}-{hashlib.sha256(port.encode()).hexdigest()[:8]}.sock"
    return folder / name


def _check_folder(folder: Path) -> None:
    """RedbuttonError if somebody else owns the folder: he could pass for the owner of the port."""
    owner = folder.stat().st_uid
    if owner not in (0, os.getuid()):
        raise RedbuttonError(
            f"{folder} belongs to user {owner}: not used (choose a folder with {ENVIRONMENT})"
        )


class Server:
    """The owner's end. `turn` does what can be done now, and never waits for a client."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`; RedbuttonError if that cannot be."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            _check_folder(path.parent)
            path.unlink(missing_ok=True)  # the port is ours, so whoever made this is gone
            self._socket.bind(str(path))
            self._socket.listen(CLIENTS_MAX)
        except OSError as error:
            self._socket.close()
            raise RedbuttonError(
                f"cannot listen at {path}: {error} (choose a folder with {ENVIRONMENT})"
            ) from None
        self._clients: dict[socket.socket, bytes] = {}
        self._asked: dict[socket.socket, int] = {}
        self._last_state: SafetyState | None = None
        self._sent = float("-inf")

    def filenos(self) -> list[int]:
        """For select: readable when `turn` has something to do."""
        return [self._socket.fileno(), *(client.fileno() for client in self._clients)]

    def turn(self, state: SafetyState, now: float) -> list[StopRequest]:
        """Take requests and tell the state; the stop requests of this turn."""
        for _ in range(CLIENTS_MAX):
            try:
                client, _ = self._socket.accept()
            except OSError:
                break
            client.setblocking(False)
            self._clients[client] = b""
        stops = [stop for client in list(self._clients) for stop in self._take(client)]
        for client in list(self._clients)[:-CLIENTS_MAX]:
            self._drop(client)  # the newest stay: whoever comes to ask for a stop is heard
        news = self._last_state is None or (
            (state.state, state.load, state.present)
            != (self._last_state.state, self._last_state.load, self._last_state.present)
        )
        if news or now - self._sent >= STATE_PERIOD_S:
            self._last_state, self._sent = state, now
            line = state.model_dump_json().encode() + b"\n"
            for client in list(self._clients):
                self._tell(client, line)
        return stops

    def _take(self, client: socket.socket) -> list[StopRequest]:
        try:
            data = client.recv(LINE_MAX)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return []
        *lines, rest = (self._clients[client] + data).split(b"\n")
        if len(rest) > LINE_MAX:
            self._drop(client)
        else:
            self._clients[client] = rest
        stops = []
        for line in lines:
            if self._ask_journal(client, line):
                continue
            try:
                stops.append(Request.model_validate_json(line).stop)
            except ValidationError as error:
                self._tell(client, json.dumps({"error": first_problem(error)}).encode() + b"\n")
        return stops

    def _ask_journal(self, client: socket.socket, line: bytes) -> bool:
        """Whether the line asks for an entry of the journal: a client's last question counts."""
        try:
            self._asked[client] = JournalQuestion.model_validate_json(line).journal.sequence
        except ValidationError:
            return False
        return True

    @property
    def journal_asked(self) -> int | None:
        """An entry of the journal that a client waits for, the longest-waiting first."""
        return next(iter(self._asked.values()), None)

    def tell_journal(self, answer: JournalAnswer) -> None:
        """Tell an answer to every client that waits for it."""
        line = b'{"journal":' + answer.model_dump_json().encode() + b"}\n"
        for client in [one for one, asked in self._asked.items() if asked == answer.asked]:
            del self._asked[client]
            self._tell(client, line)

    def _tell(self, client: socket.socket, line: bytes) -> None:
        """All of it or the client is gone: one that does not read is not waited for."""
        try:
            if client.send(line) == len(line):
                return
        except OSError:
            pass
        self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._asked.pop(client, None)
        if self._clients.pop(client, None) is not None:
            client.close()

    def close(self) -> None:
        """Leave no socket behind."""
        for client in list(self._clients):
            self._drop(client)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class Client:
    """The other end, for programs that may wait."""

    def __init__(self, path: Path) -> None:
        """Connect; OSError if nobody listens there, RedbuttonError if it is not to be trusted."""
        _check_folder(path.parent)
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
