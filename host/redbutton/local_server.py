"""The owner's end of its socket: everybody is heard, nobody is waited for (SR-06).

What one turn does has a bound, whatever clients do, so that none of them delays a heartbeat:

Rule 1: at most ACCEPTS connections are taken, and each is read at once.
Rule 2: at most READS others that have said something are read, READ_SIZE bytes of each; epoll(7)
        names them in turn, so that one that floods waits for all others before it is read again.
Rule 3: whatever was read is heard in the same turn; only a line without an end is kept. Of each
        piece the first few stop requests are looked at closely. Whoever sends more in one piece
        has asked for a stop of category 0.
Rule 4: where there are more than CLIENTS_MAX, the oldest connection of the user who holds most of
        them is read once more and closed: nobody pushes out another user, or a request unheard.
Rule 5: a state is put into words once for all, and told to at most TELLS clients. One that does
        not take all of it is closed: what waits in a buffer is no news (SR-21).
"""

import contextlib
import json
import os
import select
import socket
import struct
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from redbutton.errors import RedbuttonError
from redbutton.journal import JournalAnswer
from redbutton.local import (
    ENVIRONMENT,
    JournalQuestion,
    Peer,
    Request,
    StopRequest,
    check_folder,
)
from redbutton.model import SafetyState, first_problem

STATE_PERIOD_S = 0.1
CLIENTS_MAX = 256
BACKLOG = 256  # connections that wait to be taken: 16 turns
ACCEPTS = 16
READS = 16
TELLS = 32
READ_SIZE = 2048
LINE_MAX = 4096
STOPS_READ = 8  # of one piece
MARKS = (b'"stop"', b"\\u")  # of a line that may ask for a stop; escaped it may say anything
JOURNAL = b'"journal"'
CREDENTIALS = "3i"


@dataclass(frozen=True)
class Asked:
    """A client asks for a stop, `times` times in one piece."""

    request: StopRequest
    peer: Peer
    times: int = 1


@dataclass(eq=False)
class _Client:
    """`rest`: the beginning of a line. `journal`: the entry that it waits for."""

    socket: socket.socket
    peer: Peer
    rest: bytes = b""
    journal: int | None = None


class Server:
    """Listens. `turn` does what can be done now. `malformed`: lines so far that said nothing."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`, for everybody; RedbuttonError if that cannot be."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            check_folder(path.parent)
            path.unlink(missing_ok=True)  # the port is ours, so whoever made this is gone
            self._socket.bind(str(path))
            path.chmod(0o666)
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            raise RedbuttonError(
                f"cannot listen at {path}: {error} (choose a folder with {ENVIRONMENT})"
            ) from None
        except RedbuttonError:
            self._socket.close()
            raise
        self._epoll = select.epoll()
        self._epoll.register(self._socket, select.EPOLLIN)
        self._clients: dict[int, _Client] = {}  # by file descriptor, the oldest first
        self._held: dict[int, dict[int, None]] = {}  # by user: file descriptors, the oldest first
        self._asked: list[Asked] = []
        self._waiting: dict[int, _Client] = {}  # for the journal
        self._untold: dict[int, None] = {}
        self._line = b""
        self._last_state: SafetyState | None = None
        self._made = float("-inf")
        self.malformed = 0
        self.served = False

    def __len__(self) -> int:
        """How many clients there are."""
        return len(self._clients)

    def fileno(self) -> int:
        """For poll: readable when `turn` has something to hear."""
        return self._epoll.fileno()

    @property
    def behind(self) -> bool:
        """Whether some have yet to be told the last state."""
        return bool(self._untold)

    def turn(self, state: SafetyState, now: float) -> list[Asked]:
        """Hear requests and tell the state; the stop requests of this turn.

        Afterwards `served` says whether any client had said something.
        """
        self._accept()
        ready = self._epoll.poll(0, READS + 1)  # one of them may be the next to be accepted
        self.served = bool(ready)
        for handle, _ in ready:
            if client := self._clients.get(handle):
                self._read(client)
        self._make_line(state, now)
        for handle in list(islice(self._untold, TELLS)):
            del self._untold[handle]
            self._tell(self._clients[handle], self._line)
        asked, self._asked = self._asked, []
        return asked

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError:  # no file descriptor is left
                if not self._clients:
                    return
                self._make_room(os.getuid())
                continue
            connection.setblocking(False)
            client = _Client(connection, _peer(connection))
            handle = connection.fileno()
            self._clients[handle] = client
            self._held.setdefault(client.peer.uid, {})[handle] = None
            self._epoll.register(handle, select.EPOLLIN)
            self._read(client)
            if len(self._clients) > CLIENTS_MAX:
                self._make_room(client.peer.uid)

    def _make_room(self, newcomer: int) -> None:
        """Close the oldest of whoever holds most; if two hold as many, the newcomer's."""
        most = max(self._held, key=lambda uid: (len(self._held[uid]), uid == newcomer))
        self._drop(self._clients[next(iter(self._held[most]))])

    def _read(self, client: _Client) -> None:
        """Once, and hear it."""
        try:
            data = client.socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        piece, end, client.rest = (client.rest + data).rpartition(b"\n")
        if end:
            self._hear(client, piece)
        if not data or len(client.rest) > LINE_MAX:
            self._drop(client)

    def _hear(self, client: _Client, piece: bytes) -> None:
        """Every line of a piece. However many there are, few are looked at closely."""
        found, problem, unread = _stops(piece)
        if unread:
            reason = found[0].reason if found else ""
            found.append(StopRequest(category=0, reason=reason))
        if found:
            strongest = min(found, key=lambda request: request.category)
            times = len(found) + max(0, unread - 1)
            self._asked.append(Asked(strongest, client.peer, times))
        asking = piece.count(JOURNAL)
        if asking:
            try:
                line = _line_at(piece, piece.rfind(JOURNAL))
                client.journal = JournalQuestion.model_validate_json(line).journal.sequence
                self._waiting[client.socket.fileno()] = client
            except ValidationError as error:
                problem = problem or first_problem(error)
        malformed = piece.count(b"\n") + 1 - len(found) - asking
        if malformed > 0 and not unread:
            self.malformed += malformed
            problem = problem or _problem_of(piece.partition(b"\n")[0])
        if problem:
            self._tell(client, json.dumps({"error": problem}).encode() + b"\n")

    def _make_line(self, state: SafetyState, now: float) -> None:
        """What all are to be told next: at each change, and now and then."""
        last = self._last_state
        if (
            last is not None
            and now - self._made < STATE_PERIOD_S
            and (state.state, state.load, state.present) == (last.state, last.load, last.present)
        ):
            return
        self._last_state, self._made = state, now
        self._line = state.model_dump_json().encode() + b"\n"
        self._untold |= dict.fromkeys(self._clients)  # who still waits stays first

    @property
    def journal_asked(self) -> int | None:
        """An entry of the journal that a client waits for, the longest-waiting first."""
        return next((client.journal for client in self._waiting.values()), None)

    def tell_journal(self, answer: JournalAnswer) -> None:
        """Tell an answer to every client that waits for it."""
        line = b'{"journal":' + answer.model_dump_json().encode() + b"}\n"
        for handle, client in list(self._waiting.items()):
            if client.journal == answer.asked:
                del self._waiting[handle]
                self._tell(client, line)

    def _tell(self, client: _Client, line: bytes) -> None:
        """All of it, or the client is gone."""
        try:
            if client.socket.send(line) == len(line):
                return
        except OSError:
            pass
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        """Close it, once what it may have said has been heard."""
        handle = client.socket.fileno()
        if self._clients.pop(handle, None) is None:
            return  # it is being closed already
        held = self._held[client.peer.uid]
        del held[handle]
        if not held:
            del self._held[client.peer.uid]
        self._read(client)
        self._waiting.pop(handle, None)
        self._untold.pop(handle, None)
        client.socket.close()

    def close(self) -> None:
        """Leave no socket behind."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._epoll.close()
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def _peer(connection: socket.socket) -> Peer:
    data = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(CREDENTIALS)
    )
    pid, uid, gid = struct.unpack(CREDENTIALS, data)
    return Peer(pid=pid, uid=uid, gid=gid)


def _line_at(piece: bytes, place: int) -> bytes:
    """The line in which that place is."""
    end = piece.find(b"\n", place)
    return piece[piece.rfind(b"\n", 0, place) + 1 : len(piece) if end < 0 else end]


def _stops(piece: bytes) -> tuple[list[StopRequest], str, int]:
    """Stop requests in the first lines that may be some, what is wrong with one that is none, and
    how many more may be."""
    found: list[StopRequest] = []
    problem = ""
    place = 0
    for _ in range(STOPS_READ):
        places = [at for mark in MARKS if (at := piece.find(mark, place)) >= 0]
        if not places:
            return found, problem, 0
        line = _line_at(piece, min(places))
        try:
            found.append(Request.model_validate_json(line).stop)
        except ValidationError as error:
            problem = problem or first_problem(error)
        end = piece.find(b"\n", min(places))
        if end < 0:
            return found, problem, 0
        place = end + 1
    return found, problem, sum(piece.count(mark, place) for mark in MARKS)


def _problem_of(line: bytes) -> str:
    """Of a line that asks for nothing."""
    try:
        Request.model_validate_json(line)
    except ValidationError as error:
        return first_problem(error)
    return "one of these lines asks for nothing"
