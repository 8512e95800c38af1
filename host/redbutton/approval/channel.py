"""The operator channel: how people reach the desk, and planners do not (SR-25). Linux.

A Unix socket in a folder that only the operators' group can enter. Who connects is asked of the
kernel as well, and a planner's user is refused whatever groups he is in. This is the second line:
without an approver's signature nothing here approves anything.

One line of JSON each way. A client sends a `Question` or a `Ballot`; the answer is a `Pending`, a
`Counted` or a `Problem`. Whoever subscribes is sent a `Pending` at each change and every second.
"""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from redbutton.approval.ballot import Vote
from redbutton.approval.desk import Desk, Outcome, Standing, Waiting
from redbutton.errors import ApprovalRefused, NoContact, RedbuttonError
from redbutton.model import Frozen, first_problem
from redbutton.plain import plain

PENDING_PERIOD_S = 1.0
ANSWER_S = 3.0
LINE_MAX = 4096
CLIENTS_MAX = 16
GROUPS_MAX = 256  # of one user; who is in more is refused
SO_PEERGROUPS = 59  # Linux, asm-generic/socket.h; not named in Python's socket
ENVIRONMENT = "REDBUTTON_OPERATOR_DIR"


class Question(Frozen):
    """What is held? Once, or from now on."""

    ask: Literal["pending", "subscribe"]


class Ballot(Frozen):
    """A vote is cast."""

    vote: Vote


class Pending(Frozen):
    """All that is held, and the approvers' public keys by name."""

    approvers: dict[str, str]
    pending: tuple[Waiting, ...]


class Counted(Frozen):
    """What became of a vote, and of what it was about."""

    outcome: Outcome
    standing: Standing


class Problem(Frozen):
    """What was wrong with a line, or with who sent it."""

    error: str


class Report(Frozen):
    """For the log: a vote, or somebody who was refused; `uid`: the user that the kernel names."""

    uid: int
    vote: Vote | None = None
    counted: Counted | None = None


Request: TypeAdapter[Question | Ballot] = TypeAdapter(Question | Ballot)
Answer: TypeAdapter[Pending | Counted | Problem] = TypeAdapter(Pending | Counted | Problem)


class Peer(NamedTuple):
    """Who is at the other end of a connection, as the kernel says."""

    uid: int
    groups: frozenset[int]


def peer_of(connection: socket.socket) -> Peer:
    """Who connected; OSError if he is in more than 256 groups."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, gid = struct.unpack("3i", credentials)
    more = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * GROUPS_MAX)
    return Peer(uid, frozenset((gid, *struct.unpack(f"{len(more) // 4}I", more))))


class Operators(Frozen):
    """Who may use the channel: the group, the users named, and never a planner's user."""

    group: int
    users: frozenset[int] = frozenset()
    planners: frozenset[int]

    def admit(self, peer: Peer) -> bool:
        """Whether this one may."""
        if peer.uid in self.planners:
            return False
        return peer.uid in self.users or self.group in peer.groups


def socket_path(folder: Path | None = None) -> Path:
    """In `folder`, else in $REDBUTTON_OPERATOR_DIR, else in /run/redbutton/operator."""
    return (
        folder or Path(os.environ.get(ENVIRONMENT, "/run/redbutton/operator"))
    ) / "approvals.sock"


@dataclass(eq=False)
class _Client:
    """`wants`: to be sent what is held."""

    socket: socket.socket
    uid: int
    received: bytes = b""
    unsent: bytes = b""
    wants: bool = False
    subscribed: bool = False


class Channel:
    """The desk's end. `turn` does what can be done now, and never waits for a client.

    From each client it takes one line a turn, and none while that client has not read its answer.
    """

    def __init__(
        self, path: Path, desk: Desk, operators: Operators, report: Callable[[Report], None]
    ) -> None:
        """Listen at `path`; RedbuttonError if that cannot be."""
        self._path = path
        self._desk = desk
        self._operators = operators
        self._report = report
        self._clients: list[_Client] = []  # the newest last
        self._told: object = None
        self._sent = float("-inf")
        if os.geteuid() in operators.planners:
            raise RedbuttonError("the planner must not run as the user who holds its commands")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            _make_folder(path.parent, operators.group)
            path.unlink(missing_ok=True)
            self._socket.bind(str(path))
            os.chown(path, -1, operators.group)
            path.chmod(0o660)
            self._socket.listen(CLIENTS_MAX)
        except OSError as error:
            self._socket.close()
            raise RedbuttonError(
                f"cannot listen at {path}: {error} (choose a folder with {ENVIRONMENT})"
            ) from None

    def filenos(self) -> list[int]:
        """For select: readable when `turn` has something to do."""
        return [self._socket.fileno(), *(client.socket.fileno() for client in self._clients)]

    def turn(self, now: float) -> None:
        """Take votes and tell what is held. `now`: the desk's clock."""
        self._accept()
        for client in list(self._clients):
            self._send(client)
            if not client.unsent:
                self._take(client, now)
        self._tell_pending(now)

    def close(self) -> None:
        """Leave no socket behind."""
        for client in list(self._clients):
            self._drop(client)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _accept(self) -> None:
        for _ in range(CLIENTS_MAX):
            try:
                connection, _ = self._socket.accept()
            except OSError:
                break
            connection.setblocking(False)
            try:
                peer = peer_of(connection)
            except OSError:
                connection.close()
                continue
            client = _Client(connection, peer.uid)
            self._clients.append(client)
            if not self._operators.admit(peer):
                self._report(Report(uid=peer.uid))
                self._tell(client, Problem(error=f"user {peer.uid} is no operator here"))
                self._drop(client)
        for client in self._clients[:-CLIENTS_MAX]:
            self._drop(client)  # the newest stay: whoever comes to deny is heard

    def _take(self, client: _Client, now: float) -> None:
        if b"\n" not in client.received:
            try:
                data = client.socket.recv(LINE_MAX)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop(client)
                return
            client.received += data
        line, end, rest = client.received.partition(b"\n")
        if len(line) > LINE_MAX:
            self._drop(client)
        elif end:
            client.received = rest
            self._answer(client, line, now)

    def _answer(self, client: _Client, line: bytes, now: float) -> None:
        try:
            request = Request.validate_json(line)
        except ValidationError as error:
            self._tell(client, Problem(error=first_problem(error)))
            return
        if isinstance(request, Question):
            client.wants = True
            client.subscribed = client.subscribed or request.ask == "subscribe"
            return
        outcome = self._desk.vote(request.vote, now)
        counted = Counted(outcome=outcome, standing=self._desk.standing(request.vote.id, now))
        self._report(Report(uid=client.uid, vote=request.vote, counted=counted))
        self._tell(client, counted)

    def _tell_pending(self, now: float) -> None:
        waiting = self._desk.pending(now)
        shape = [(one.held, one.approved_by) for one in waiting]
        if shape != self._told or not 0 <= now - self._sent < PENDING_PERIOD_S:
            self._told, self._sent = shape, now
            for client in self._clients:
                client.wants = client.wants or client.subscribed
        ready = [client for client in self._clients if client.wants and not client.unsent]
        if ready:
            keys = {name: public.hex() for name, public in self._desk.approvers.items()}
            answer = Pending(approvers=keys, pending=waiting)
            for client in ready:
                client.wants = False
                self._tell(client, answer)

    def _tell(self, client: _Client, answer: Pending | Counted | Problem) -> None:
        client.unsent += answer.model_dump_json().encode() + b"\n"
        self._send(client)

    def _send(self, client: _Client) -> None:
        """As much as it takes now."""
        try:
            if client.unsent:
                client.unsent = client.unsent[client.socket.send(client.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            client.socket.close()


def _make_folder(folder: Path, group: int) -> None:
    """A folder of ours that only the group can enter; OSError if it is somebody else's."""
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of user {os.geteuid()}")
    os.chown(folder, -1, group)
    folder.chmod(0o750)


class Operator:
    """A person's end, for programs that may wait."""

    def __init__(self, path: Path) -> None:
        """Connect; NoContact if nobody listens there, ApprovalRefused if we may not."""
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(str(path))
        except PermissionError:
            self._socket.close()
            raise ApprovalRefused(f"no permission to use {path}: it is for operators") from None
        except OSError:
            self._socket.close()
            raise NoContact(f"nothing holds commands at {path}") from None

    def pending(self) -> Pending:
        """What is held now."""
        self._send(Question(ask="pending"))
        return self._pending()

    def watch(self) -> Iterator[Pending]:
        """What is held, at each change and every second."""
        self._send(Question(ask="subscribe"))
        while True:
            yield self._pending()

    def vote(self, vote: Vote) -> Counted:
        """Cast a vote; what became of it."""
        self._send(Ballot(vote=vote))
        answer = self._answer()
        if not isinstance(answer, Counted):
            raise NoContact("the owner of the port does not answer to the vote")
        return answer

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _pending(self) -> Pending:
        answer = self._answer()
        if not isinstance(answer, Pending):
            raise NoContact("the owner of the port does not say what is held")
        return answer

    def _send(self, request: Question | Ballot) -> None:
        with contextlib.suppress(OSError):  # who was refused may still read why
            self._socket.sendall(request.model_dump_json().encode() + b"\n")

    def _answer(self) -> Pending | Counted:
        try:
            while b"\n" not in self._received:
                data = self._socket.recv(65536)
                if not data:
                    raise NoContact("the owner of the port is gone")
                self._received += data
        except TimeoutError:
            raise NoContact("the owner of the port is silent") from None
        except OSError:
            raise NoContact("the owner of the port is gone") from None
        line, _, self._received = self._received.partition(b"\n")
        try:
            answer = Answer.validate_json(line)
        except ValidationError:
            raise NoContact("the owner of the port speaks another version") from None
        if isinstance(answer, Problem):
            raise ApprovalRefused(plain(answer.error))
        return answer
