"""The host's session without any controller: bytes and time in, events and bytes out."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redbutton.errors import VersionMismatch, WrongKey
from redbutton.firmware import decide, wire
from redbutton.model import Load, State
from redbutton.session import Fault, Hello, Rebooted, Session, Transition, TransitionsLost

CLOSED = decide.CONTACT_A | decide.CONTACT_B | decide.SUPPLY | decide.LINK_KEY
MIRRORS = decide.MIRROR_1 | decide.MIRROR_2


def status(
    sequence: int,
    *,
    echo: int,
    nonce: bytes = b"nonce--1",
    boot: int = 1,
    state: int = decide.STOPPED,
    inputs: int = CLOSED | MIRRORS,
) -> bytes:
    """A status line as the controller would send it."""
    payload = struct.pack(
        wire.STATUS_LAYOUT, nonce, boot, 0, state, inputs, 0, 2, 4, 0, 5, echo, 0, 0, 0, 0, 0, 0, 0
    )
    return wire.encode(wire.STATUS, sequence, payload)


def event(number: int, boot: int = 1) -> bytes:
    """An event line: stopped by button contact A."""
    payload = struct.pack(
        wire.EVENT_LAYOUT, boot, number, 0, decide.RUN, decide.STOPPED, 4, MIRRORS, 16
    )
    return wire.encode(wire.EVENT, number, payload)


def hello(key: bytes, version: int = wire.VERSION) -> bytes:
    """A hello line of a controller that holds `key`."""
    payload = struct.pack(
        wire.HELLO_LAYOUT, 1, b"\x00\x01\x00", b"BOARD-ID", wire.key_id(key), 100, 0, 2
    )
    return wire.encode(wire.HELLO, 0, payload, version)


def last_sequence(line: bytes) -> int:
    """The sequence number of a line that the session sent."""
    frame = wire.decode(line.strip())
    assert frame
    return frame[2]


@pytest.fixture
def session(key: bytes) -> Session:
    """A session that has just opened its port."""
    session = Session(key)
    session.opened(0.0)
    return session


@pytest.mark.requirement("SR-21")
def test_nothing_is_claimed_before_anything_was_heard(session: Session) -> None:
    assert session.state(0.0).state is State.UNKNOWN
    assert session.state(0.0).load is Load.UNPROVEN


@pytest.mark.requirement("SR-21")
def test_a_status_that_echoes_no_frame_of_ours_proves_nothing(session: Session) -> None:
    session.receive(status(1, echo=999), 0.01)
    assert session.state(0.01).state is State.UNKNOWN


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize(
    ("age_s", "fresh"), [(0.0, True), (0.1, True), (0.101, False), (9, False)]
)
def test_a_status_is_as_old_as_our_frame_that_it_echoes(
    key: bytes, age_s: float, fresh: bool
) -> None:
    session = Session(key)
    sequence = last_sequence(session.opened(0.0))
    session.receive(status(1, echo=sequence), age_s)
    assert session.state(age_s).heard == fresh


@pytest.mark.requirement("SR-21")
def test_a_status_delivered_late_does_not_replace_a_newer_one(key: bytes) -> None:
    session = Session(key)
    sequence = last_sequence(session.opened(0.0))
    session.receive(status(5, echo=sequence, state=decide.STOPPED), 0.01)
    session.receive(status(4, echo=sequence, state=decide.RUN, inputs=CLOSED), 0.02)
    assert session.state(0.02).state is State.STOPPED


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize(
    ("inputs", "load"),
    [
        (CLOSED | MIRRORS, Load.OFF),
        (CLOSED, Load.ON),
        (CLOSED | decide.MIRROR_1, Load.UNPROVEN),
        (CLOSED | decide.MIRROR_2, Load.UNPROVEN),
        (0, Load.UNPROVEN),
        (MIRRORS, Load.OFF),
    ],
)
@pytest.mark.parametrize("state", [decide.RUN, decide.STOPPED, decide.LOCKOUT])
def test_the_load_is_what_the_mirror_contacts_prove(
    key: bytes, inputs: int, load: Load, state: int
) -> None:
    session = Session(key)
    sequence = last_sequence(session.opened(0.0))
    session.receive(status(1, echo=sequence, state=state, inputs=inputs), 0.0)
    assert session.state(0.0).load is load
    assert session.state(0.0).running == (state == decide.RUN and load is Load.ON)


@pytest.mark.requirement("SR-17")
def test_the_newest_challenge_is_answered_once(session: Session, key: bytes) -> None:
    session.receive(status(1, echo=0, nonce=b"older---") + status(2, echo=0, nonce=b"newest--"), 0)
    frame = wire.decode(session.answer(0.0).strip())
    assert frame and frame[3][:8] == b"newest--"
    assert wire.Signer(key).authentic(frame[2], frame[3])
    assert session.answer(0.01) == b""


@pytest.mark.requirement("SR-20")
def test_nothing_is_answered_for_a_caller_that_does_not_vouch(session: Session) -> None:
    session.receive(status(1, echo=0), 0.0)
    frame = wire.decode(session.answer(1.0, alive=False).strip())
    assert frame and frame[1] == wire.ASK_HELLO


@pytest.mark.requirement("SR-17")
def test_another_key_withholds_the_heartbeat_and_names_both(session: Session, key: bytes) -> None:
    events = session.receive(hello(bytes(32)) + status(1, echo=0), 0.0)
    faults = [event for event in events if isinstance(event, Fault)]
    assert isinstance(faults[0].error, WrongKey)
    assert wire.key_id(key).hex() in str(faults[0].error)
    assert wire.key_id(bytes(32)).hex() in str(faults[0].error)
    frame = wire.decode(session.answer(1.0).strip())
    assert frame and frame[1] == wire.ASK_HELLO


def test_another_version_withholds_the_heartbeat_and_names_both(
    session: Session, key: bytes
) -> None:
    events = session.receive(hello(key, version=2), 0.0)
    assert isinstance(events[0], Fault)
    assert isinstance(events[0].error, VersionMismatch)
    assert "version 2" in str(events[0].error)
    session.receive(status(1, echo=0), 0.0)
    frame = wire.decode(session.answer(1.0).strip())
    assert frame and frame[1] == wire.ASK_HELLO


def test_the_same_hello_is_told_once(session: Session, key: bytes) -> None:
    events = session.receive(hello(key) + hello(key), 0.0)
    assert [type(event) for event in events] == [Hello]


@pytest.mark.requirement("SR-22")
def test_transitions_are_told_and_lost_ones_counted(session: Session) -> None:
    session.receive(status(1, echo=0), 0.0)
    events = session.receive(event(1) + event(2) + event(5), 0.0)
    assert [type(e) for e in events] == [Transition, Transition, TransitionsLost, Transition]
    assert events[2] == TransitionsLost(2)
    assert isinstance(events[0], Transition)
    assert events[0].cause == "button contact A"


def test_a_controller_that_started_anew_is_noticed(session: Session) -> None:
    session.receive(status(900, echo=0, boot=1), 0.0)
    assert session.receive(status(1, echo=0, boot=2), 0.0) == [Rebooted()]


@pytest.mark.requirement("SR-06")
@pytest.mark.parametrize(("category", "payload"), [(0, b"\x00"), (1, b"\x01"), (7, b"\x00")])
def test_a_stop_request_is_made_at_any_time(category: int, payload: bytes) -> None:
    frame = wire.decode(Session(None).stop(0.0, category).strip())
    assert frame and (frame[1], frame[3]) == (wire.STOP, payload)


@pytest.mark.requirement("SR-17", "SR-21")
@given(st.lists(st.binary(max_size=100)), st.binary(max_size=3))
def test_no_bytes_make_it_raise_or_claim(pieces: list[bytes], start: bytes) -> None:
    session = Session(bytes(32))
    session.opened(0.0)
    for piece in [start, *pieces]:
        session.receive(piece, 0.0)
        session.answer(0.0)
    assert session.state(0.0).state is State.UNKNOWN


@given(
    st.sampled_from([wire.STATUS, wire.EVENT, wire.HELLO]),
    st.integers(0, 0xFFFF),
    st.integers(0, 60),
    st.data(),
)
def test_well_formed_frames_with_any_payload_never_raise(
    kind: int, sequence: int, size: int, data: st.DataObject
) -> None:
    session = Session(bytes(32))
    session.opened(0.0)
    full = {
        wire.STATUS: struct.calcsize(wire.STATUS_LAYOUT),
        wire.EVENT: struct.calcsize(wire.EVENT_LAYOUT),
        wire.HELLO: struct.calcsize(wire.HELLO_LAYOUT),
    }[kind]
    payload = data.draw(
        st.one_of(st.binary(max_size=size), st.binary(min_size=full, max_size=full))
    )
    session.receive(wire.encode(kind, sequence, payload), 0.0)
    session.state(0.0)
    session.answer(0.0)
