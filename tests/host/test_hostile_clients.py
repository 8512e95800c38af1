"""Clients of the owner's socket that mean harm: what a turn costs is counted, not timed."""

import contextlib
import os
import select
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from redbutton import local_server
from redbutton.local import Client, Peer, Request, StopRequest
from redbutton.local_server import CLIENTS_MAX, READ_SIZE, READS, TELLS, Asked, Server
from redbutton.model import SafetyState, State

STATE = SafetyState()
STOP = b'{"stop": {}}\n'
PLANNER, PERSON = 1001, 1002
# Limits are written out. Pieces that a turn reads: of 16 new clients and of as many that make room
# for them, of 17 others, and of 32 that did not take what they were told.
PIECES = 2 * 16 + 17 + 32


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> "Counter[str]":
    """What the server does, by name of the call; bytes, too."""
    count: Counter[str] = Counter()

    class Counted(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            count["accept"] += 1
            handle, address = self._accept()  # type: ignore[attr-defined]
            return Counted(fileno=handle), address

        def recv(self, size: int, flags: int = 0) -> bytes:
            count["recv"] += 1
            data = super().recv(size, flags)
            count["bytes read"] += len(data)
            return data

        def send(self, data: Any, flags: int = 0) -> int:
            count["send"] += 1
            return super().send(data, flags)

    names = {name: getattr(socket, name) for name in dir(socket)}
    monkeypatch.setattr(local_server, "socket", SimpleNamespace(**{**names, "socket": Counted}))

    def parse(line: bytes) -> Request:
        count["parse"] += 1
        return Request.model_validate_json(line)

    def dump(state: SafetyState) -> str:
        count["dump"] += 1
        return super(SafetyState, state).model_dump_json()

    monkeypatch.setattr(local_server, "Request", SimpleNamespace(model_validate_json=parse))
    monkeypatch.setattr(SafetyState, "model_dump_json", dump)
    return count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the owner listens."""
    return tmp_path / "run" / "port.sock"


@pytest.fixture
def server(cost: "Counter[str]", path: Path) -> Iterator[Server]:
    """An owner's end whose doings are counted."""
    server = Server(path)
    yield server
    server.close()


@pytest.fixture
def crowd(path: Path) -> Iterator[list[socket.socket]]:
    """Clients, closed at the end."""
    clients: list[socket.socket] = []
    yield clients
    for client in clients:
        client.close()


def join(path: Path, crowd: list[socket.socket], count: int, data: bytes = b"") -> None:
    """So many more clients, at most BACKLOG, each of which has sent that."""
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(path))
        client.setblocking(False)
        crowd.append(client)
        with contextlib.suppress(BlockingIOError):
            while data:
                data = data[client.send(data) :]


def flood(crowd: list[socket.socket], data: bytes) -> None:
    """Every client sends more than is read of it at once, if it can."""
    for client in crowd:
        with contextlib.suppress(OSError):
            client.send(data[: 3 * READ_SIZE])


def settle(server: Server) -> None:
    """Turns until nothing is left to do."""
    server.turn(STATE, 0.0)
    while select.select([server], [], [], 0)[0] or server.behind:
        server.turn(STATE, 0.0)


def bounded(cost: "Counter[str]") -> None:
    """What one turn may cost."""
    assert cost["accept"] <= 16
    assert cost["recv"] <= PIECES
    assert cost["bytes read"] <= PIECES * 2048
    assert cost["parse"] <= PIECES * 9  # 8 that may ask for a stop, and one to say what is wrong
    assert cost["send"] <= PIECES + 32
    assert cost["dump"] <= 1


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize(
    "data",
    [STOP * 1000, b'{"stop": 1}\n' * 1000, b"\n" * 30_000, b"\\u\n" * 9000, b"x" * 30_000],
    ids=["stops", "malformed stops", "empty lines", "escapes", "no line"],
)
def test_a_turn_costs_no_more_however_much_is_sent(
    server: Server, path: Path, crowd: list[socket.socket], cost: "Counter[str]", data: bytes
) -> None:
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    worst: Counter[str] = Counter()
    for _ in range(10):
        flood(crowd, data)
        cost.clear()
        server.turn(STATE, 0.0)
        bounded(cost)
        worst |= cost
    assert worst["recv"] >= READS  # it was a flood


@pytest.mark.requirement("SR-18")
def test_a_turn_costs_no_more_however_many_connect(
    server: Server, path: Path, crowd: list[socket.socket], cost: "Counter[str]"
) -> None:
    for _ in range(3):
        join(path, crowd, 250, STOP)
        taken = 0
        while select.select([server], [], [], 0)[0]:
            cost.clear()
            server.turn(STATE, 0.0)
            bounded(cost)
            taken += cost["accept"]
        assert taken >= 250
    assert len(server) == CLIENTS_MAX


@pytest.mark.requirement("SR-18")
def test_a_state_is_put_into_words_once_for_all(
    server: Server, path: Path, crowd: list[socket.socket], cost: "Counter[str]"
) -> None:
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    cost.clear()
    for i in range(1, 11):
        server.turn(STATE, i * 0.11)
        assert cost["send"] == TELLS * i
    assert cost["dump"] == 10


def test_all_are_told_the_newest_within_a_few_turns(
    server: Server, path: Path, crowd: list[socket.socket]
) -> None:
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    for client in crowd:
        with contextlib.suppress(BlockingIOError):
            client.recv(65536)
    news = SafetyState(state=State.LOCKOUT)
    for _ in range(CLIENTS_MAX // TELLS):
        server.turn(news, 0.01)
    assert all(b'"LOCKOUT"' in client.recv(65536) for client in crowd)
    assert not server.behind


def test_news_at_every_turn_reach_everybody(
    server: Server, path: Path, crowd: list[socket.socket]
) -> None:
    """Not the first ones again and again."""
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    for client in crowd:
        with contextlib.suppress(BlockingIOError):
            client.recv(65536)
    for i in range(CLIENTS_MAX // TELLS):
        server.turn(SafetyState(state=list(State)[i % 2 + 1]), 0.01)
    assert all(client.recv(65536) for client in crowd)


@pytest.mark.requirement("SR-06")
def test_a_stop_is_heard_within_a_few_turns_of_a_flood(
    server: Server, path: Path, crowd: list[socket.socket], cost: "Counter[str]"
) -> None:
    join(path, crowd, CLIENTS_MAX - 1)
    person = Client(path)
    settle(server)
    for _ in range(5):
        flood(crowd, b"garbage\n" * 200)
        person.stop(StopRequest(reason="by a person"))
        for _ in range(1 + CLIENTS_MAX // READS):
            if asked := server.turn(STATE, 0.0):
                break
            flood(crowd, b"garbage\n" * 200)
        assert [one.request.reason for one in asked] == ["by a person"]


@pytest.mark.requirement("SR-06")
def test_a_newcomer_is_heard_in_the_turn_in_which_he_is_taken(
    server: Server, path: Path, crowd: list[socket.socket]
) -> None:
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    flood(crowd, b"garbage\n" * 200)
    Client(path).stop(StopRequest(reason="new"))
    assert [one.request.reason for one in server.turn(STATE, 0.0)] == ["new"]


@pytest.mark.requirement("SR-06")
def test_many_stops_in_one_piece_are_one_of_category_0(server: Server, path: Path) -> None:
    """Beyond the first few nothing is looked at closely: whoever sends so many gets a stop."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.sendall(b'{"stop": {"category": 1, "reason": "a"}}\n' * 9)
    assert server.turn(STATE, 0.0) == [Asked(StopRequest(reason="a"), _myself(), 9)]
    client.sendall(b'{"stop": {"category": 1}}\n' * 8)
    (asked,) = server.turn(STATE, 0.0)
    assert (asked.request.category, asked.times) == (1, 8)
    client.sendall(b'{"stop": {"category": 1}}\n' * 2 + STOP)
    (asked,) = server.turn(STATE, 0.0)
    assert (asked.request.category, asked.times) == (0, 3)
    client.close()


@pytest.mark.requirement("SR-06")
def test_who_is_pushed_out_is_heard_first(
    server: Server, path: Path, crowd: list[socket.socket]
) -> None:
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    crowd[0].send(STOP)
    join(path, crowd, 1)
    flood(crowd[1:], b"garbage\n" * 200)
    assert [one.request for one in server.turn(STATE, 0.0)] == [StopRequest()]
    with pytest.raises((ConnectionError, BlockingIOError)):
        while crowd[0].recv(65536):
            pass
        raise ConnectionError  # it was closed in the ordinary way


@pytest.mark.requirement("SR-06")
def test_who_does_not_read_is_heard_before_he_is_dropped(
    server: Server, path: Path, crowd: list[socket.socket]
) -> None:
    join(path, crowd, 1)
    server.turn(STATE, 0.0)
    with contextlib.suppress(BlockingIOError):
        while True:  # until his buffer is full, as it would be of states that he does not read
            next(iter(server._clients.values())).socket.send(b"x" * 1000)
    crowd[0].send(STOP)
    server._epoll.unregister(next(iter(server._clients)))  # it is not his turn to be read
    assert [one.request for one in server.turn(STATE, 1.0)] == [StopRequest()]
    assert len(server) == 0


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Who connects next, and after him; then the last of them, always."""
    coming: list[int] = [PLANNER]

    def peer(connection: socket.socket) -> Peer:
        return Peer(pid=1, uid=coming.pop(0) if len(coming) > 1 else coming[0], gid=1)

    monkeypatch.setattr(local_server, "_peer", peer)
    return coming


@pytest.mark.requirement("SR-06")
def test_no_user_pushes_out_another(
    server: Server, path: Path, crowd: list[socket.socket], users: list[int]
) -> None:
    users[:] = [PERSON, PLANNER]
    join(path, crowd, 1)
    for _ in range(3):
        join(path, crowd, 250)
        settle(server)
    assert len(server) == CLIENTS_MAX
    crowd[0].send(STOP)
    assert [one.peer.uid for one in server.turn(STATE, 0.0)] == [PERSON]


def test_a_newcomer_pushes_out_the_oldest_of_who_holds_most(
    server: Server, path: Path, crowd: list[socket.socket], users: list[int]
) -> None:
    join(path, crowd, CLIENTS_MAX)
    settle(server)
    users[:] = [PERSON]
    newcomers: list[socket.socket] = []
    for _ in range(2):
        join(path, newcomers, CLIENTS_MAX // 2)
        settle(server)
    held = Counter(client.peer.uid for client in server._clients.values())
    assert held == {PLANNER: CLIENTS_MAX // 2, PERSON: CLIENTS_MAX // 2}
    newcomers[-1].send(STOP)
    assert [one.peer.uid for one in server.turn(STATE, 0.0)] == [PERSON]
    for one in newcomers:
        one.close()


def _myself() -> Peer:
    return Peer(pid=os.getpid(), uid=os.getuid(), gid=os.getgid())
