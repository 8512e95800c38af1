"""The owner's socket: states out, stop requests in, and nobody waited for."""

import contextlib
import json
import os
import select
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from redbutton import local
from redbutton.errors import RedbuttonError
from redbutton.local import Client, Peer, StopRequest
from redbutton.local_server import CLIENTS_MAX, LINE_MAX, Asked, Server
from redbutton.model import SafetyState, State

STATE = SafetyState(problem="only a test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the owner listens."""
    return tmp_path / "run" / "port.sock"


@pytest.fixture
def server(path: Path) -> Iterator[Server]:
    """An owner's end."""
    server = Server(path)
    yield server
    server.close()


def requests(asked: Iterable[Asked]) -> list[StopRequest]:
    """Without who asked."""
    return [one.request for one in asked]


def turns(server: Server) -> list[Asked]:
    """As many as it takes until there is nothing to hear and to tell."""
    asked = server.turn(STATE, 0.0)
    while select.select([server], [], [], 0)[0] or server.behind:
        asked += server.turn(STATE, 0.0)
    return asked


def raw(path: Path) -> socket.socket:
    """A client that may misbehave."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(1)
    client.connect(str(path))
    return client


@pytest.mark.requirement("SR-06")
def test_a_stop_request_arrives_in_the_turn_after_it_was_sent(server: Server, path: Path) -> None:
    client = Client(path)
    client.stop(StopRequest(category=1, reason="test"))
    assert requests(server.turn(STATE, 0.0)) == [StopRequest(category=1, reason="test")]


@pytest.mark.requirement("SR-06")
def test_a_stop_request_names_who_made_it(server: Server, path: Path) -> None:
    client = Client(path)
    client.stop(StopRequest())
    (asked,) = server.turn(STATE, 0.0)
    assert asked.peer == Peer(pid=os.getpid(), uid=os.getuid(), gid=os.getgid())


def test_a_client_is_told_the_state(server: Server, path: Path) -> None:
    client = Client(path)
    server.turn(STATE, 0.0)
    assert next(client.states()) == STATE


@pytest.mark.requirement("SR-21")
def test_a_silent_owner_is_no_contact_within_a_second(server: Server, path: Path) -> None:
    client = Client(path)
    server.turn(STATE, 0.0)
    states = client.states()
    next(states)
    begin = time.monotonic()
    state = next(states)
    assert state.state is State.UNKNOWN
    assert state.problem == "the owner of the port is silent"
    assert time.monotonic() - begin < 1.0


@pytest.mark.requirement("SR-21")
def test_an_owner_that_ends_is_no_contact(server: Server, path: Path) -> None:
    client = Client(path)
    server.turn(STATE, 0.0)
    server.close()
    assert list(client.states())[-1].problem == "the owner of the port is gone"


@pytest.mark.requirement("SR-06")
def test_a_stop_is_heard_though_more_clients_are_there_than_are_served(
    server: Server, path: Path
) -> None:
    crowd = [raw(path) for _ in range(CLIENTS_MAX)]
    turns(server)
    crowd += [raw(path) for _ in range(5)]
    Client(path).stop(StopRequest())
    assert requests(turns(server)) == [StopRequest()]
    for client in crowd:
        client.close()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b'{"stop": 1}\n',
        b'{"run": true}\n',
        b'{"reset": {}}\n',
        b'{"stop": {"category": 2}}\n',
        b'{"stop": {"category": 0, "more": 1}}\n',
        b"\xff\xfe\n",
        b"[" * 2000 + b"\n",
    ],
)
@pytest.mark.requirement("SR-25")
def test_anything_but_a_stop_is_answered_with_an_error(
    server: Server, path: Path, line: bytes
) -> None:
    client = raw(path)
    client.sendall(line)
    assert server.turn(STATE, 0.0) == []
    assert b'"error"' in client.recv(65536)
    client.close()


def test_a_line_without_end_is_cut_off(server: Server, path: Path) -> None:
    client = raw(path)
    with contextlib.suppress(OSError):
        for i in range(10):
            client.sendall(b"x" * LINE_MAX)
            server.turn(STATE, float(i))
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            pass
    client.close()


def test_a_client_that_never_reads_is_dropped_and_not_waited_for(
    server: Server, path: Path
) -> None:
    client = raw(path)
    begin = time.monotonic()
    for i in range(5000):
        server.turn(STATE, i * 0.2)
    assert time.monotonic() - begin < 10
    assert len(server) == 0
    client.close()


def test_a_client_in_pieces_is_understood(server: Server, path: Path) -> None:
    client = raw(path)
    stops = []
    for byte in json.dumps({"stop": {"category": 0}}).encode() + b"\n":
        client.send(bytes([byte]))
        stops += server.turn(STATE, 0.0)
    assert requests(stops) == [StopRequest()]
    client.close()


def test_a_socket_left_by_a_killed_owner_is_no_obstacle(path: Path) -> None:
    first = Server(path)
    second = Server(path)
    Client(path).close()
    second.close()
    first.close()


def test_anybody_may_connect_and_only_the_owner_may_replace_the_socket(
    server: Server, path: Path
) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert not path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_who_may_not_listen_in_the_system_folder_finds_the_owner_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDBUTTON_RUNTIME_DIR")
    monkeypatch.setattr(local, "SYSTEM_FOLDER", tmp_path)
    there = local.socket_path("/dev/redbutton")
    assert there.parent == tmp_path
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert local.socket_path("/dev/redbutton").parent != tmp_path
    with socket.socket(socket.AF_UNIX) as owner:
        owner.bind(str(there))
        assert local.socket_path("/dev/redbutton") == there


@pytest.mark.requirement("SR-21")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_trusted(path: Path) -> None:
    """He could listen there and tell of stops that did not happen."""
    path.parent.mkdir()
    os.chown(path.parent, 65534, 65534)
    path.parent.parent.chmod(0o1777)  # where everybody makes folders
    for use in (Server, Client):
        with pytest.raises(RedbuttonError, match="belongs to user 65534"):
            use(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_root_has_given_somebody_is_trusted(path: Path) -> None:
    """As /run/redbutton is given to the service's user."""
    path.parent.mkdir()
    os.chown(path.parent, 65534, 65534)
    server = Server(path)
    Client(path).close()
    server.close()


@pytest.mark.requirement("SR-21")
def test_a_folder_in_which_others_may_write_is_not_trusted(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    for use in (Server, Client):
        with pytest.raises(RedbuttonError, match="others may write in"):
            use(path)
