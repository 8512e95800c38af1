"""The socket that stands for a person's fingers on the virtual board."""

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redbutton.errors import NoContact, RedbuttonError
from redbutton.virtual.hands import CLIENTS_MAX, LINE_MAX, Fingers, Hands, hands_path

TIMEOUT_S = 5.0


@pytest.fixture
def path(runtime_folder: Path) -> Path:
    """Where the hands are."""
    return hands_path(str(runtime_folder / "port"))


@pytest.fixture
def done() -> list[list[str]]:
    """What the hands have done."""
    return []


@pytest.fixture
def hands(path: Path, done: list[list[str]]) -> Iterator[Hands]:
    """Hands that can do all but two things."""

    def do(words: list[str]) -> None:
        if words == ["nonsense"]:
            raise ValueError("not a command: press, release")
        if words == ["late"]:
            raise NoContact("the virtual board's process is gone")
        done.append(words)

    with Hands(path, do) as hands:
        yield hands


def answers(fingers: Fingers, count: int) -> list[str]:
    """So many answers."""
    end = time.monotonic() + TIMEOUT_S
    told: list[str] = []
    while len(told) < count and time.monotonic() < end:
        told += fingers.answers()
        time.sleep(0.01)
    return told


def raw(path: Path) -> socket.socket:
    """A client that may misbehave."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(TIMEOUT_S)
    client.connect(str(path))
    return client


def closed(client: socket.socket) -> bool:
    """Whether the other end hangs up."""
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_each_line_is_done_and_answered(hands: Hands, path: Path, done: list[list[str]]) -> None:
    fingers = Fingers(path)
    for words in ("press", "nonsense", "late", "key on"):
        fingers.do(words)
    assert answers(fingers, 4) == [
        "done",
        "not a command: press, release",
        "the virtual board's process is gone",
        "done",
    ]
    assert done == [["press"], ["key", "on"]]
    fingers.close()


@pytest.mark.requirement("SR-25")
def test_they_are_their_users_alone(hands: Hands, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_uid == os.getuid()


def test_nothing_is_left_and_the_fingers_notice(path: Path) -> None:
    with Hands(path, lambda words: None):
        fingers = Fingers(path)
    with pytest.raises(OSError):
        for _ in range(2):
            fingers.answers()
    fingers.close()
    assert not path.exists()
    with pytest.raises(OSError):
        Fingers(path)


def test_a_socket_left_by_a_killed_board_is_no_obstacle_but_a_file_is(path: Path) -> None:
    old = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old.bind(str(path))
    old.close()
    with Hands(path, lambda words: None):
        pass
    path.write_text("somebody's")
    with pytest.raises(RedbuttonError, match="no hands at"):
        Hands(path, lambda words: None)
    assert path.read_text() == "somebody's"


def test_a_client_in_pieces_is_understood_and_one_without_end_cut_off(
    hands: Hands, path: Path, done: list[list[str]]
) -> None:
    client = raw(path)
    for byte in b"key off\n":
        client.send(bytes([byte]))
    assert client.recv(100) == b"done\n"
    assert done == [["key", "off"]]
    client.send(b"x" * (2 * LINE_MAX))
    assert closed(client)
    client.close()


def test_of_many_clients_the_newest_are_served(hands: Hands, path: Path) -> None:
    crowd = []
    for _ in range(CLIENTS_MAX + 2):
        crowd.append(raw(path))
        crowd[-1].send(b"press\n")
        assert crowd[-1].recv(100) == b"done\n"
    assert closed(crowd[0])
    for client in crowd:
        client.close()


def test_a_client_that_never_reads_is_dropped_and_not_waited_for(hands: Hands, path: Path) -> None:
    client = raw(path)

    def flood() -> None:
        try:
            while True:
                client.sendall(b"press\n" * 30)
        except OSError:
            pass

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    other = raw(path)
    other.send(b"press\n")
    assert other.recv(100) == b"done\n"
    other.close()
    client.close()
