"""The operator channel: operators are served, planners are not, and nobody is waited for."""

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from people import COMMAND, PUBLIC, WHY, Clock, hold, of_all, vote

from redbutton.approval import channel as channels
from redbutton.approval.ballot import COMMAND_MAX, REASON_MAX, Decision, canonical
from redbutton.approval.channel import (
    CLIENTS_MAX,
    LINE_MAX,
    PENDING_PERIOD_S,
    Channel,
    Operator,
    Operators,
    Peer,
    Report,
    peer_of,
)
from redbutton.approval.desk import HELD_MAX, Desk, Outcome, Standing
from redbutton.checks.verdict import Judgement, Verdict
from redbutton.errors import ApprovalRefused, NoContact, RedbuttonError

ASK = b'{"ask":"pending"}\n'


def raw(path: Path) -> socket.socket:
    """A client that may misbehave."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(1)
    client.connect(str(path))
    return client


def said(client: socket.socket) -> dict[str, Any]:
    """The next line that a client is told."""
    line = b""
    while not line.endswith(b"\n"):
        line += client.recv(1)
    answer = json.loads(line)
    assert isinstance(answer, dict)
    return answer


def closed(client: socket.socket) -> bool:
    """Whether nothing more can come."""
    with suppress(ConnectionError):
        while client.recv(65536):
            pass
    return True


@pytest.fixture
def operator(served: object, path: Path) -> Iterator[Operator]:
    """A person's end."""
    operator = Operator(path)
    yield operator
    operator.close()


# --- what operators can do


@pytest.mark.requirement("SR-26")
def test_an_operator_sees_what_is_held_and_why(
    desk: Desk, operator: Operator, served: Clock
) -> None:
    held = hold(desk, now=served())
    answer = operator.pending()
    assert [one.held for one in answer.pending] == [held]
    assert answer.approvers == {name: key.hex() for name, key in PUBLIC.items()}


@pytest.mark.requirement("SR-26")
def test_an_operators_vote_counts(desk: Desk, operator: Operator, served: Clock) -> None:
    hold(desk, now=served(), needed=2)
    shown = operator.pending().pending[0].held
    assert operator.vote(vote(shown, "anna")).standing is Standing.WAITING
    assert operator.vote(vote(shown, "ben")).standing is Standing.APPROVED
    assert operator.pending().pending[0].approved_by == ("anna", "ben")


@pytest.mark.requirement("SR-26")
def test_the_channel_alone_approves_nothing(desk: Desk, operator: Operator, served: Clock) -> None:
    held = hold(desk, now=served())
    unsigned = vote(held).model_copy(update={"signature": "0" * 128})
    answer = operator.vote(unsigned)
    assert (answer.outcome, answer.standing) == (Outcome.NOT_SIGNED, Standing.WAITING)


def test_every_vote_is_reported_with_the_user_that_the_kernel_names(
    desk: Desk, operator: Operator, served: Clock, reports: list[Report]
) -> None:
    held = hold(desk, now=served())
    votes = [vote(held), vote(held), vote(held, decision=Decision.DENY), vote(held, "ben")]
    for one in votes:
        operator.vote(one)
    assert [report.vote for report in reports] == votes
    assert {report.uid for report in reports} == {os.getuid()}
    assert [report.counted.outcome for report in reports if report.counted] == [
        Outcome.COUNTED,
        Outcome.TWICE,
        Outcome.COUNTED,
        Outcome.NOT_HELD,
    ]


def test_a_subscriber_is_told_at_once_of_each_change(channel: Channel, path: Path) -> None:
    desk = channel._desk
    client = raw(path)
    client.sendall(b'{"ask":"subscribe"}\n')
    channel.turn(0.0)
    assert said(client)["pending"] == []
    held = hold(desk, now=0.1)
    channel.turn(0.1)
    assert len(said(client)["pending"]) == 1
    desk.vote(vote(held), 0.2)
    channel.turn(0.2)
    assert "anna" in str(said(client)["pending"])
    channel.turn(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    channel.turn(0.2 + PENDING_PERIOD_S)
    assert said(client)
    client.close()


def test_all_that_can_be_held_at_its_longest_is_told(
    desk: Desk, operator: Operator, served: Clock
) -> None:
    long = canonical({"a": '"' * ((COMMAND_MAX - 8) // 2)})
    why = Verdict(verdict=Judgement.HOLD, reason="\x01" * REASON_MAX)
    for _ in range(HELD_MAX):
        desk.hold(long, why, of_all(1), served(), 30.0)
    assert len(operator.pending().pending) == HELD_MAX


# --- who is served


@pytest.mark.parametrize(
    ("peer", "admitted"),
    [
        (Peer(1000, frozenset({50})), True),
        (Peer(1001, frozenset({7, 50})), True),
        (Peer(1002, frozenset({7})), False),
        (Peer(1003, frozenset({7})), True),
        (Peer(2000, frozenset({50})), False),
        (Peer(2001, frozenset({50})), False),
    ],
    ids=["group", "one of his groups", "stranger", "named", "planner", "planner that is named"],
)
@pytest.mark.requirement("SR-25")
def test_operators_are_served_and_planners_never(
    channel: Channel, path: Path, monkeypatch: pytest.MonkeyPatch, peer: Peer, admitted: bool
) -> None:
    channel._operators = Operators(
        group=50, users=frozenset({1003, 2001}), planners=frozenset({2000, 2001})
    )
    monkeypatch.setattr(channels, "peer_of", lambda connection: peer)
    client = raw(path)
    client.sendall(ASK)
    channel.turn(0.0)
    channel.turn(0.0)
    assert ("pending" in said(client)) == admitted
    client.close()


@pytest.mark.requirement("SR-25")
def test_a_planners_vote_is_not_even_read(
    channel: Channel,
    desk: Desk,
    path: Path,
    reports: list[Report],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though it is signed: he is told why, and he is reported."""
    held = hold(desk)
    monkeypatch.setattr(channels, "peer_of", lambda connection: Peer(65534, frozenset({0})))
    client = raw(path)
    client.sendall(b'{"vote":' + vote(held).model_dump_json().encode() + b"}\n")
    channel.turn(1.0)
    assert said(client) == {"error": "user 65534 is no operator here"}
    assert closed(client)
    assert desk.standing(held.id, 1.0) is Standing.WAITING
    assert reports == [Report(uid=65534)]
    client.close()


@pytest.mark.requirement("SR-25")
@pytest.mark.usefixtures("served")
def test_who_is_refused_reads_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "peer_of", lambda connection: Peer(65534, frozenset()))
    operator = Operator(path)
    with pytest.raises(ApprovalRefused, match="user 65534 is no operator here"):
        operator.pending()
    operator.close()


@pytest.mark.requirement("SR-25")
def test_who_cannot_be_named_is_not_served(
    channel: Channel, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: socket.socket) -> Peer:
        raise OSError("too many groups")

    monkeypatch.setattr(channels, "peer_of", fail)
    client = raw(path)
    channel.turn(0.0)
    assert closed(client)
    assert len(channel.filenos()) == 1
    client.close()


def test_the_kernel_names_the_user_and_all_his_groups() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    assert peer_of(ours) == Peer(os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))
    ours.close()
    theirs.close()


@pytest.mark.requirement("SR-25")
def test_only_the_group_can_enter_the_folder(channel: Channel, path: Path) -> None:
    folder = path.parent.stat()
    assert stat.S_IMODE(folder.st_mode) == 0o750
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert folder.st_gid == path.stat().st_gid == os.getegid()


@pytest.mark.requirement("SR-25")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_somebody_outside_the_group_cannot_connect(channel: Channel, path: Path) -> None:
    path.parent.parent.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            Operator(path)
        except ApprovalRefused as error:
            os._exit(error.exit_code)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ApprovalRefused.exit_code


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize("mode", [0o777, 0o700])
def test_a_folder_that_was_there_is_closed_to_others(
    path: Path, desk: Desk, operators: Operators, mode: int
) -> None:
    path.parent.mkdir()
    path.parent.chmod(mode)
    Channel(path, desk, operators, print).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


@pytest.mark.requirement("SR-25")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(
    path: Path, desk: Desk, operators: Operators
) -> None:
    path.parent.mkdir()
    os.chown(path.parent, 65534, 65534)
    with pytest.raises(RedbuttonError, match="is not a folder of user"):
        Channel(path, desk, operators, print)


@pytest.mark.requirement("SR-25")
def test_a_link_in_place_of_the_folder_is_not_used(
    path: Path, desk: Desk, operators: Operators, tmp_path: Path
) -> None:
    path.parent.symlink_to(tmp_path)
    with pytest.raises(RedbuttonError, match="is not a folder of user"):
        Channel(path, desk, operators, print)


@pytest.mark.requirement("SR-25")
def test_a_planner_with_the_owners_user_is_refused_from_the_start(path: Path, desk: Desk) -> None:
    operators = Operators(group=os.getegid(), planners=frozenset({os.geteuid()}))
    with pytest.raises(RedbuttonError, match="must not run as the user"):
        Channel(path, desk, operators, print)


def test_a_socket_left_by_a_killed_owner_is_no_obstacle(
    path: Path, desk: Desk, operators: Operators
) -> None:
    first = Channel(path, desk, operators, print)
    second = Channel(path, desk, operators, print)
    Operator(path).close()
    second.close()
    first.close()


def test_a_path_that_cannot_be_is_one_clear_error(
    path: Path, desk: Desk, operators: Operators
) -> None:
    with pytest.raises(RedbuttonError, match="choose a folder with REDBUTTON_OPERATOR_DIR"):
        Channel(path.with_name("x" * 200), desk, operators, print)


# --- clients that misbehave


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b'{"ask":"approve"}\n',
        b'{"ask":"pending","more":1}\n',
        b'{"vote":{}}\n',
        b'{"adopt":{}}\n',
        b"\xff\xfe\n",
        b"[" * 2000 + b"\n",
    ],
)
@pytest.mark.requirement("SR-25")
def test_anything_else_is_answered_with_an_error(
    channel: Channel, path: Path, line: bytes
) -> None:
    client = raw(path)
    client.sendall(line + ASK)
    channel.turn(0.0)
    channel.turn(0.0)
    assert "error" in said(client)
    assert "pending" in said(client)
    client.close()


@pytest.mark.parametrize("field", ["id", "approver", "signature"])
@pytest.mark.parametrize("value", ["x" * 1000, "é" * 128, 1, None])
def test_a_malformed_vote_is_answered_with_an_error(
    channel: Channel, desk: Desk, path: Path, field: str, value: object
) -> None:
    good = vote(hold(desk)).model_dump(mode="json")
    client = raw(path)
    client.sendall(json.dumps({"vote": {**good, field: value}}).encode() + b"\n")
    channel.turn(0.0)
    assert "error" in said(client)
    assert desk.pending(0.0)[0].approved_by == ()
    client.close()


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_ends_the_connection(
    channel: Channel, path: Path, end: bytes
) -> None:
    client = raw(path)
    client.sendall(b" " * (LINE_MAX + 1) + end)
    channel.turn(0.0)
    channel.turn(0.0)
    assert closed(client)
    assert len(channel.filenos()) == 1
    client.close()


def test_half_a_vote_is_none(channel: Channel, desk: Desk, path: Path) -> None:
    held = hold(desk)
    client = raw(path)
    client.sendall(b'{"vote":' + vote(held).model_dump_json().encode() + b"}")
    client.close()
    channel.turn(0.0)
    channel.turn(0.0)
    assert desk.pending(0.0)[0].approved_by == ()
    assert len(channel.filenos()) == 1


def test_a_client_in_pieces_is_understood(channel: Channel, path: Path) -> None:
    client = raw(path)
    for byte in ASK:
        client.send(bytes([byte]))
        channel.turn(0.0)
    assert "pending" in said(client)
    client.close()


def test_a_client_that_never_reads_delays_nobody(channel: Channel, desk: Desk, path: Path) -> None:
    for _ in range(HELD_MAX):
        desk.hold(canonical({"a": "x" * 4000}), WHY, of_all(1), 0.0, 3600.0)
    slow = raw(path)
    slow.setblocking(False)
    slow.sendall(b'{"ask":"subscribe"}\n')
    begin = time.monotonic()
    for turn in range(500):
        with suppress(BlockingIOError):
            slow.send(b"x\n" * 100)
        channel.turn(float(turn))
    assert time.monotonic() - begin < 5
    (stuck,) = channel._clients
    kept = stuck.unsent, stuck.received
    for turn in range(500, 600):
        channel.turn(float(turn))
    assert (stuck.unsent, stuck.received) == kept
    other = raw(path)
    other.sendall(ASK)
    channel.turn(600.0)
    assert len(said(other)["pending"]) == HELD_MAX
    slow.close()
    other.close()


def test_a_client_is_answered_once_a_turn(channel: Channel, path: Path) -> None:
    client = raw(path)
    client.sendall(b"x\n" * 100)
    channel.turn(0.0)
    assert client.recv(65536).count(b"\n") == 1
    client.close()


def test_a_client_that_is_gone_is_forgotten(channel: Channel, path: Path) -> None:
    client = raw(path)
    client.sendall(b'{"ask":"subscribe"}\n')
    channel.turn(0.0)
    client.close()
    channel.turn(10.0)
    channel.turn(20.0)
    assert len(channel.filenos()) == 1


def test_a_client_that_does_not_wait_for_its_answer_is_forgotten(
    channel: Channel, path: Path
) -> None:
    client = raw(path)
    client.sendall(ASK)
    client.close()
    channel.turn(0.0)
    assert len(channel.filenos()) == 1


@pytest.mark.requirement("SR-26")
def test_a_denial_is_heard_though_more_clients_are_there_than_are_served(
    channel: Channel, desk: Desk, path: Path
) -> None:
    held = hold(desk)
    crowd = [raw(path) for _ in range(CLIENTS_MAX)]
    channel.turn(0.0)
    client = raw(path)
    no = vote(held, decision=Decision.DENY)
    client.sendall(b'{"vote":' + no.model_dump_json().encode() + b"}\n")
    channel.turn(0.1)
    channel.turn(0.1)
    assert desk.standing(held.id, 0.2) is Standing.DENIED
    assert len(channel.filenos()) == 1 + CLIENTS_MAX
    for one in (*crowd, client):
        one.close()


# --- owners that misbehave


def test_no_owner_is_no_contact(path: Path) -> None:
    with pytest.raises(NoContact, match="nothing holds commands"):
        Operator(path)


def test_a_silent_owner_is_no_contact(
    channel: Channel, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "ANSWER_S", 0.1)
    operator = Operator(path)
    with pytest.raises(NoContact, match="silent"):
        operator.pending()
    operator.close()


def test_an_owner_that_ends_is_no_contact(channel: Channel, path: Path) -> None:
    operator = Operator(path)
    channel.turn(0.0)
    channel.close()
    with pytest.raises(NoContact, match="gone"):
        operator.pending()
    operator.close()


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b'{"approvers":{},"pending":[{}]}',
        b'{"outcome":"counted","standing":"approved"}',
    ],
)
def test_what_is_no_answer_is_not_believed(path: Path, tmp_path: Path, line: bytes) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        operator = Operator(path)
        connection, _ = listening.accept()
        connection.sendall(line + b"\n")
        with pytest.raises(NoContact):
            operator.pending()
        connection.close()
        operator.close()


@pytest.mark.requirement("SR-26")
def test_a_command_is_taken_by_the_owner_after_people_approved(
    desk: Desk, operator: Operator, served: Clock
) -> None:
    held = hold(desk, now=served())
    operator.vote(vote(operator.pending().pending[0].held))
    assert desk.take(held.id, COMMAND, served())
    assert operator.pending().pending == ()
