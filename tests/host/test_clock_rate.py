"""A controller whose clock runs at another rate than the host's gets no heartbeat (SR-04)."""

import random
import struct
from collections.abc import Iterator

import pytest

from redbutton.bench.rig import Rig
from redbutton.clock_rate import ClockRate
from redbutton.errors import ClockWrong
from redbutton.firmware import decide, wire
from redbutton.session import Fault, Session

STATUS_MS = 20


def hello(board: bytes) -> bytes:
    """As a controller says who it is."""
    payload = struct.pack(wire.HELLO_LAYOUT, 1, b"\x00\x01\x00", board, bytes(4), 100, 0, 2)
    return wire.encode(wire.HELLO, 0, payload)


def status(sequence: int, uptime: int, echo: int) -> bytes:
    """As a controller says its uptime."""
    fields = (b"nonce--1", 1, uptime, decide.STOPPED, 0, 0, 2, 4, 0, 5, echo, 0, 0, 0, 0, 0, 0, 0)
    return wire.encode(wire.STATUS, sequence, struct.pack(wire.STATUS_LAYOUT, *fields))


def found_after(
    rate: float, seconds: float = 20.0, late_ms: float = 0.0, seed: int = 1
) -> float | None:
    """ms until the rate is found wrong; frames take up to `late_ms` either way, and the host turns
    every 5 ms of its own clock."""
    clock, delay = ClockRate(), random.Random(seed)
    sent = arrived = 0.0  # of the newest frame of the host that the controller took; of the status
    waiting: list[tuple[float, int, float]] = []
    made = 0.0
    for turn in range(int(seconds * 200)):
        now = turn * 0.005
        while made <= now:
            sent = max(sent, made - 0.001 - delay.random() * late_ms / 1000)
            arrived = max(arrived, made + 0.001 + delay.random() * late_ms / 1000)
            waiting.append((arrived, int(made * rate * 1000), sent))
            made += STATUS_MS / 1000 / rate
        clock.turn(now)
        if clock.wrong:
            return now * 1000
        while waiting and waiting[0][0] <= now:
            _, uptime, after = waiting.pop(0)
            clock.take(uptime, after)
    return None


@pytest.mark.requirement("SR-04")
@pytest.mark.parametrize(
    ("rate", "most_ms"), [(2.0, 200), (0.5, 350), (0.1, 400), (10, 200), (1.1, 3000), (0.9, 3000)]
)
def test_a_wrong_rate_is_found(rate: float, most_ms: float) -> None:
    after = found_after(rate)
    assert after is not None
    assert after <= most_ms


@pytest.mark.parametrize("rate", [1.0, 1.001, 0.999, 1.04, 0.96])
@pytest.mark.parametrize("late_ms", [0, 200])
def test_a_crystal_in_order_is_never_found_wrong(rate: float, late_ms: float) -> None:
    assert all(found_after(rate, 30, late_ms, seed) is None for seed in range(3))


@pytest.mark.requirement("SR-04")
@pytest.mark.parametrize("rate", [2.0, 0.5])
def test_frames_that_come_late_hide_no_wrong_rate(rate: float) -> None:
    after = found_after(rate, late_ms=200)
    assert after is not None
    assert after <= 1500


def steady(clock: ClockRate, since_ms: int, until_ms: int, uptime_ms: int = 0) -> None:
    """Both clocks go on alike; `uptime_ms`: how far the controller's is ahead."""
    for ms in range(since_ms, until_ms, STATUS_MS):
        clock.turn(ms / 1000)
        clock.take(ms + uptime_ms & 0x3FFFFFFF, ms / 1000 - 0.002)


@pytest.mark.parametrize(
    ("host_ms", "controller_ms"),
    [
        (5000, 0),  # the host's clock is set forward
        (-3000, 0),  # and back
        (0, 5000),  # the host was suspended, and its clock stood still
        (5000, 5000),  # its process was stopped, or flash was written
        (90, 0),
        (0, 90),
    ],
)
def test_a_clock_that_leaps_has_no_wrong_rate(host_ms: int, controller_ms: int) -> None:
    clock = ClockRate()
    steady(clock, 10_000, 14_000)
    steady(clock, 14_000 + host_ms, 30_000 + host_ms, controller_ms - host_ms)
    assert clock.wrong is None


def test_the_uptime_may_begin_at_0_again() -> None:
    clock = ClockRate()
    steady(clock, 0, 3000, 0x3FFFFFFF - 1000)
    assert clock.wrong is None


@pytest.mark.parametrize(("board", "judged"), [(b"BOARD-ID", True), (b"VIRTUAL1", False)])
def test_only_a_virtual_board_in_real_time_may_stand_still(board: bytes, judged: bool) -> None:
    """It does where the computer is busy, and catches up."""
    session = Session()
    session.opened(0.0)
    session.receive(hello(board), 0.0)
    events = []
    for ms in range(0, 1000, 20):
        sent = wire.decode(session.answer(ms / 1000, alive=False).strip())
        echo = sent[2] if sent else 0
        events += session.receive(status(ms // 20, ms // 2, echo), ms / 1000 + 0.001)
    assert [one for one in events if isinstance(one, Fault)] == (
        [Fault(session.fault)] if judged and session.fault else []
    )
    assert (session.fault is not None) == judged


# --- the real firmware


@pytest.fixture
def rig(key: bytes) -> Iterator[Rig]:
    """Powered up."""
    with Rig(key, 1) as rig:
        yield rig


def clock_faults(rig: Rig) -> list[Fault]:
    """What the host's session said."""
    return [
        one for one in rig.events if isinstance(one, Fault) and isinstance(one.error, ClockWrong)
    ]


@pytest.mark.requirement("SR-04", "SR-05", "SR-21")
@pytest.mark.parametrize(
    ("permille", "most_ms"), [(2000, 160), (500, 320), (1100, 2700), (900, 2700)]
)
def test_a_robot_whose_controllers_clock_goes_wrong_stops(
    rig: Rig, permille: int, most_ms: int
) -> None:
    rig.run()
    rig.act("chip:clock", permille)
    wrong_ms = 0
    while not clock_faults(rig):
        assert wrong_ms <= most_ms
        rig.step(1)
        wrong_ms += 1
    rig.step(250)
    assert not rig.board.load
    assert rig.state.first_cause == "heartbeat lost"
    assert "no heartbeat: the controller's clock runs more than 5 %" in rig.state.sentence()
    assert len(clock_faults(rig)) == 1
    rig.press_reset()
    assert not rig.board.load


@pytest.mark.requirement("SR-04", "SR-07")
@pytest.mark.parametrize("permille", [2000, 500])
def test_a_controller_with_a_wrong_clock_never_runs(rig: Rig, permille: int) -> None:
    """Also if somebody presses the reset button as soon as there is power."""
    rig.act("chip:clock", permille)
    rig.step(60)
    for _ in range(3):
        rig.press_reset(2 * 300)
    assert not rig.energised_since(0)


@pytest.mark.parametrize("permille", [999, 1001, 990, 1010])
def test_a_clock_in_order_runs(rig: Rig, permille: int) -> None:
    rig.act("chip:clock", permille)
    rig.run()
    rig.step(3000)
    assert rig.board.load
    assert not clock_faults(rig)


@pytest.mark.parametrize("jump_ms", [5000, -5000, 300, -300])
def test_a_hosts_clock_that_jumps_is_no_wrong_rate(rig: Rig, jump_ms: int) -> None:
    rig.run()
    rig.act("host:clock", jump_ms)
    rig.step(1500)
    assert not clock_faults(rig)
    assert rig.board.load


def test_a_host_that_was_stopped_finds_no_wrong_rate(rig: Rig) -> None:
    rig.run()
    rig.act("host:stopped", 1)
    rig.step(700)
    rig.act("host:stopped", 0)
    rig.step(500)
    assert not clock_faults(rig)
    rig.press_reset()
    assert rig.board.load
