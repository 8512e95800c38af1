"""Stop requests: one that was lost is sent again, one that leads to no stop ends the heartbeat."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redbutton.bench.planted import DEFECTS
from redbutton.bench.rig import Rig
from redbutton.firmware import wire
from redbutton.model import State
from redbutton.session import STOP_PERIOD_S, STOP_TIMEOUT_S, Session

TIMEOUT_MS = 100  # of the heartbeat, the default
DROP_OUT_MS = 5
DELAY_MS = 300
Made = Callable[..., Rig]


@pytest.fixture
def made(key: bytes) -> Iterator[Made]:
    """Rigs in RUN."""
    rigs: list[Rig] = []

    def make(**board: object) -> Rig:
        rigs.append(Rig(key, 1, **board))
        rigs[-1].run()
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.board.close()


def stop_frames(rig: Rig) -> int:
    """How many the controller took."""
    counters = rig.state.counters
    assert counters
    return counters.stop_requests


def ms_until_off(rig: Rig, most_ms: int) -> int:
    """From now until the load is off."""
    for ms in range(most_ms):
        if not rig.board.load:
            return ms
        rig.step(1)
    pytest.fail(f"the load is still on after {most_ms} ms")


@pytest.mark.requirement("SR-06")
def test_a_request_that_was_taken_is_sent_once(made: Made) -> None:
    rig = made()
    rig.request_stop()
    rig.step(300)
    assert rig.state.state is State.STOPPED
    assert stop_frames(rig) == 1


@pytest.mark.requirement("SR-06")
@pytest.mark.parametrize("lost_ms", [1, 7, 12])
def test_a_request_that_was_lost_is_sent_again(made: Made, lost_ms: int) -> None:
    rig = made()
    rig.act("link:unplugged", 1)
    rig.request_stop()
    rig.step(lost_ms)
    rig.act("link:unplugged", 0)
    assert ms_until_off(rig, 100) <= STOP_PERIOD_S * 1000 + 3 + DROP_OUT_MS
    assert rig.state.first_cause == "stop requested"


@pytest.mark.requirement("SR-06")
@pytest.mark.parametrize("alive", [True, False])
def test_it_is_sent_until_it_is_heard_that_it_was_taken(key: bytes, alive: bool) -> None:
    """And whatever the host thinks of itself."""
    session = Session(key)
    session.opened(0.0)
    session.stop(1.0)
    sent = [session.answer(1 + ms / 1000, alive) for ms in range(1, 1001)]
    kinds = [frame[1] for line in sent if (frame := wire.decode(line.strip()))]
    assert kinds.count(wire.STOP) >= 0.8 / STOP_PERIOD_S
    assert wire.HEARTBEAT not in kinds


@pytest.mark.requirement("SR-06", "SR-04")
@pytest.mark.parametrize("category", [0, 1])
def test_a_controller_that_takes_it_and_goes_on_gets_no_heartbeat(
    made: Made, tmp_path: Path, category: int
) -> None:
    firmware = DEFECTS["stop-request-ignored"].plant(tmp_path / "firmware")
    rig = made(firmware=firmware)
    rig.request_stop(category)
    assert ms_until_off(rig, 500) <= STOP_TIMEOUT_S * 1000 + TIMEOUT_MS + 20 + DROP_OUT_MS
    rig.step(40)
    assert rig.state.first_cause == "heartbeat lost"
    assert stop_frames(rig) > 0


@pytest.mark.requirement("SR-05")
def test_a_delayed_stop_that_never_ends_gets_no_heartbeat(made: Made, tmp_path: Path) -> None:
    firmware = DEFECTS["stopping-never-ends"].plant(tmp_path / "firmware")
    rig = made(firmware=firmware, stop_delay_ms=DELAY_MS)
    rig.request_stop(1)
    most = DELAY_MS + STOP_TIMEOUT_S * 1000 + TIMEOUT_MS + 20 + DROP_OUT_MS
    assert DELAY_MS < ms_until_off(rig, 1000) <= most


@pytest.mark.requirement("SR-05")
def test_a_delayed_stop_keeps_its_heartbeat_while_it_is_in_time(made: Made) -> None:
    rig = made(stop_delay_ms=DELAY_MS)
    rig.request_stop(1)
    assert DELAY_MS <= ms_until_off(rig, 1000) <= DELAY_MS + 10
    assert rig.state.causes == ("stop requested",)


@pytest.mark.requirement("SR-05", "SR-06")
def test_a_request_to_stop_at_once_wins_over_one_with_delay(made: Made) -> None:
    rig = made(stop_delay_ms=DELAY_MS)
    rig.act("link:unplugged", 1)
    rig.request_stop(0)
    rig.request_stop(1)
    rig.step(3)
    rig.act("link:unplugged", 0)
    assert ms_until_off(rig, 100) <= 20


@pytest.mark.requirement("SR-07")
def test_after_it_a_person_can_reset(made: Made) -> None:
    rig = made()
    rig.request_stop()
    rig.step(100)
    rig.press_reset()
    assert rig.board.load


@pytest.mark.requirement("SR-06", "SR-07")
def test_in_stopped_a_request_that_was_lost_still_voids_a_press(made: Made) -> None:
    rig = made()
    rig.act("button", 1)
    rig.step(50)
    rig.act("button", 0)
    rig.step(50)
    rig.act("reset", 1)
    rig.step(200)
    rig.act("link:unplugged", 1)
    rig.request_stop()
    rig.step(5)
    rig.act("link:unplugged", 0)
    rig.step(20)
    rig.act("reset", 0)
    rig.step(600)
    assert not rig.board.load
