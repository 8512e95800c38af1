"""Before each energising the controller tests its own means of stopping."""

from pathlib import Path

import pytest
from flashes import patched_firmware

from redbutton.model import State
from redbutton.session import Transition
from redbutton.virtual.chain import Chain

TEST_MS = 474  # from the release of the reset button, which takes 50 ms to settle


@pytest.mark.requirement("SR-13", "SR-01")
def test_no_relay_carries_the_load_before_both_have_moved_alone(key: bytes) -> None:
    with Chain(key) as chain:
        chain.run()
        on = chain.board.last("load", 1).at_us
        moved = [c for c in chain.board.changes if c.signal in ("relay_1", "relay_2") and c.value]
        assert [c.signal for c in moved if c.at_us < on - 50_000] == ["relay_2", "relay_1"]
        assert len(chain.energised_since(0)) == 1


@pytest.mark.requirement("SR-13")
def test_k1s_level_is_one_level_without_an_edge_between(key: bytes) -> None:
    """Edges are what its driver lives on."""
    with Chain(key) as chain:
        chain.run()
        levels = [c.value for c in chain.board.changes if c.signal == "k1_level"]
        assert levels == [1, 0]


@pytest.mark.requirement("SR-13")
@pytest.mark.parametrize(
    ("part", "value"),
    [
        pytest.param("drive_1", 1, id="K1's transistor shorted"),
        pytest.param("drive_1", 0, id="K1's transistor open"),
        pytest.param("switch_2", 1, id="K2's transistor shorted"),
        pytest.param("switch_2", 0, id="K2's transistor open"),
        pytest.param("latch", 1, id="K2's latch stuck set"),
        pytest.param("latch", 0, id="K2's latch stuck clear"),
        pytest.param("watchdog", 1, id="K2's watchdog never ends"),
        pytest.param("watchdog", 0, id="K2's watchdog never begins"),
        pytest.param("mirror_1", 1, id="K1's mirror contact bridged"),
        pytest.param("mirror_2", 1, id="K2's mirror contact bridged"),
        pytest.param("relay_1", 1, id="K1 welded"),
        pytest.param("relay_2", 1, id="K2 welded"),
    ],
)
def test_a_fault_in_the_means_of_stopping_locks_out_before_the_load_comes_on(
    key: bytes, part: str, value: int
) -> None:
    with Chain(key) as chain:
        chain.step(100)
        chain.board.act(f"stick:{part}", value)
        chain.press_reset()
        assert chain.state.state is State.LOCKOUT, chain.state.sentence()
        assert not chain.energised_since(0)


@pytest.mark.requirement("SR-13", "SR-02")
@pytest.mark.parametrize("ms", [1, 35, 75, 110, 150, 200, 250, 300, 350, 400])
def test_the_button_ends_the_test_in_the_same_tick(key: bytes, ms: int) -> None:
    with Chain(key) as chain:
        chain.step(100)
        chain.board.act("reset", 1)
        chain.step(300)
        chain.board.act("reset", 0)
        while chain.state.state is not State.TESTING:
            chain.step(1)
        chain.step(ms)
        chain.board.act("stick:contact_a", 0)
        chain.board.act("stick:contact_b", 0)
        chain.step(1)
        driven = {"k1_pulses", "k1_level", "k2_pin"}
        assert not any(chain.board.values.get(signal, 0) for signal in driven)
        chain.step(600)
        assert not chain.energised_since(0)
        assert chain.state.state is State.STOPPED


@pytest.mark.requirement("SR-13")
def test_every_energising_is_tested_anew(key: bytes) -> None:
    with Chain(key) as chain:
        chain.run()
        chain.request_stop()
        chain.step(100)
        chain.press_reset()
        assert chain.board.load
        into = [e.after for e in chain.events if isinstance(e, Transition)]
        assert into == [State.TESTING, State.RUN, State.STOPPED, State.TESTING, State.RUN]


@pytest.mark.requirement("SR-13")
def test_the_test_takes_half_a_second_at_most(key: bytes) -> None:
    with Chain(key) as chain:
        chain.step(100)
        chain.board.act("reset", 1)
        chain.step(300)
        released_ms = chain.board.now_us / 1000
        chain.board.act("reset", 0)
        chain.step(560)
        run_ms = chain.board.last("load", 1).at_us / 1000
        assert TEST_MS <= run_ms - released_ms <= TEST_MS + 30


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("contact", ["contact_a", "contact_b"])
def test_an_interrupt_that_was_lost_locks_out(key: bytes, contact: str) -> None:
    """The chip removes a handler that raises, without a word."""
    with Chain(key) as chain:
        chain.run()
        chain.board.lose_interrupt(contact)
        chain.step(20)
        assert not chain.board.load
        assert chain.state.state is State.LOCKOUT
        assert "internal" in chain.state.causes


@pytest.mark.requirement("SR-14")
def test_without_its_feed_k2_drops_though_its_pin_stays_high(key: bytes, tmp_path: Path) -> None:
    """The loop goes on and drives, but no longer reaches its end."""
    firmware = patched_firmware(
        tmp_path,
        "controller.py",
        "        self._board.feed_watchdogs(outputs)\n",
        "        if self._uptime < 1000:\n            self._board.feed_watchdogs(outputs)\n",
    )
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        before_us = chain.board.now_us
        chain.step(1000 - before_us // 1000 + 20)
        assert chain.board.last("latch", 0).at_us - 1_000_000 <= 6_500
        assert chain.board.last("load", 0).at_us - 1_000_000 <= 10_000
