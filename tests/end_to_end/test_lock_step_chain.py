"""The real firmware on the modelled plant, in virtual time: verdicts come from the load."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flashes import patched_firmware
from hypothesis import given, settings
from hypothesis import strategies as st

from redbutton.firmware import decide, wire
from redbutton.model import Load, State
from redbutton.session import Rebooted, Transition
from redbutton.virtual.chain import Chain
from redbutton.virtual.shim import plant

TICK_US = 1000
IN_RUN_MS = 1000  # of uptime; `Chain.run` has the load on before
# From K1's last pulse to its contact open, and from K2's pin low to its contact open.
K1_OFF_US = plant.PULSE_HOLD_US + plant.DROP_OUT_US
K2_OFF_US = plant.DROP_OUT_US
CLOCK_SET_US = 1000  # from power-up to the controller's first tick, where its uptime begins


@pytest.fixture
def running(key: bytes) -> Iterator[Chain]:
    """A chain in RUN, load on."""
    with Chain(key) as chain:
        yield chain.run()


@pytest.mark.requirement("SR-09")
def test_power_up_ends_in_stopped_with_its_cause(key: bytes) -> None:
    with Chain(key) as chain:
        chain.step(500)
        assert not chain.board.load
        assert chain.state.state is State.STOPPED
        assert chain.state.first_cause == "power up"


@pytest.mark.requirement("SR-01", "SR-21")
def test_a_reset_brings_the_load_on_and_the_state_says_so_only_then(running: Chain) -> None:
    on = running.board.last("load", 1)
    test, run = (e for e in running.events if isinstance(e, Transition))
    assert (test.before, test.after) == (State.STOPPED, State.TESTING)
    assert (run.before, run.after) == (State.TESTING, State.RUN)
    assert on.at_us >= run.uptime_ms * 1000  # the contacts follow the decision
    assert running.state.load is Load.ON


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("contact", ["contact_a", "contact_b"])
def test_one_contact_opening_drops_both_relays(running: Chain, contact: str) -> None:
    opened_us = running.board.now_us
    running.board.act(f"stick:{contact}", 0)
    running.step(1)
    assert running.board.values["k1_pulses"] == 0
    assert running.board.values["k2_pin"] == 0
    running.step(10)
    assert not running.board.load
    assert running.board.last("load", 0).at_us - opened_us <= K1_OFF_US


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("open_us", [1, 20, 300, 999])
def test_an_opening_shorter_than_a_tick_is_a_stop(running: Chain, open_us: int) -> None:
    at_us = running.board.now_us + 100
    running.board.act("stick:contact_b", 0, at_us)
    running.board.act("stick:contact_b", -1, at_us + open_us)
    running.step(2)
    assert running.board.values["k1_pulses"] == 0
    running.step(20)
    assert not running.board.load
    assert running.state.state is State.STOPPED


@pytest.mark.requirement("SR-02")
def test_the_stop_stays_when_the_button_is_released(running: Chain) -> None:
    running.board.act("button", 1)
    running.step(50)
    running.board.act("button", 0)
    released_us = running.board.now_us
    running.step(2000)
    assert not running.energised_since(released_us)
    assert running.state.first_cause == "button contact A"


@pytest.mark.requirement("SR-04")
@pytest.mark.parametrize("timeout", [40, 100, 250, 1000])
def test_heartbeat_lost_to_load_off_is_exact(key: bytes, timeout: int) -> None:
    """Timeout, plus one tick, plus drop-out, counted from the challenge last answered."""
    with Chain(key, heartbeat_timeout_ms=timeout) as chain:
        chain.run()
        chain.alive = False
        chain.step(timeout + 50)
        stop = next(
            e for e in chain.events if isinstance(e, Transition) and e.cause == "heartbeat lost"
        )
        answered_ms = _last_answered_challenge_ms(chain)
        assert stop.uptime_ms - answered_ms == timeout
        dead = chain.board.last("load", 0)
        assert dead.at_us == CLOCK_SET_US + stop.uptime_ms * 1000 + K2_OFF_US


def _last_answered_challenge_ms(chain: Chain) -> int:
    """Uptime at which the challenge was made that the last heartbeat of the host answers."""
    made = {}
    for line in bytes(chain.sent_by_board).split(b"\n"):
        frame = wire.decode(line) if line else None
        if frame and frame[1] == wire.STATUS:
            status = dict(
                zip(
                    wire.STATUS_FIELDS,
                    wire.struct.unpack(wire.STATUS_LAYOUT, frame[3]),
                    strict=True,
                )
            )
            made[status["nonce"]] = status["uptime"]
    answered = [wire.decode(line.strip()) for line in chain.sent_by_host]
    nonces = [
        frame[3][: wire.NONCE_SIZE] for frame in answered if frame and frame[1] == wire.HEARTBEAT
    ]
    return int(made[nonces[-1]])


@pytest.mark.requirement("SR-06", "SR-03")
def test_a_stop_request_stops_in_the_tick_it_arrives(running: Chain) -> None:
    running.request_stop()
    running.step(1)
    assert running.board.values["k2_pin"] == 0
    running.step(20)
    assert not running.board.load
    assert running.state.first_cause == "stop requested"


@pytest.mark.requirement("SR-05")
def test_a_delayed_stop_is_told_first_and_cut_at_its_deadline(key: bytes) -> None:
    with Chain(key, stop_delay_ms=300) as chain:
        chain.run()
        chain.request_stop(category=1)
        requested_us = chain.board.now_us
        chain.step(20)
        assert chain.state.state is State.STOPPING
        assert chain.board.load
        chain.step(400)
        cut = chain.board.last("k2_pin", 0)
        assert cut.at_us == requested_us + TICK_US + 300_000
        assert not chain.board.load


@pytest.mark.requirement("SR-05")
def test_a_delayed_stop_is_cut_sooner_at_standstill(key: bytes) -> None:
    with Chain(key, stop_delay_ms=1000) as chain:
        chain.run()
        chain.request_stop(category=1)
        chain.step(100)
        chain._send(chain.session.standstill(chain.board.now))
        chain.step(10)
        assert not chain.board.load


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize("end", ["button", "heartbeat", "category 0"])
def test_anything_else_cuts_a_delayed_stop_at_once(key: bytes, end: str) -> None:
    with Chain(key, stop_delay_ms=1000) as chain:
        chain.run()
        chain.request_stop(category=1)
        chain.step(50)
        if end == "button":
            chain.board.act("button", 1)
        elif end == "heartbeat":
            chain.alive = False
            chain.step(100)
        else:
            chain.request_stop(category=0)
        chain.step(10)
        assert not chain.board.load


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize(
    ("press_ms", "acts"), [(140, False), (160, True), (2990, True), (3010, False)]
)
def test_only_a_press_of_the_right_length_resets(key: bytes, press_ms: int, acts: bool) -> None:
    with Chain(key) as chain:
        chain.step(100)
        chain.press_reset(press_ms)
        assert chain.board.load == acts


@pytest.mark.requirement("SR-08")
def test_a_reset_button_taped_down_never_resets(key: bytes) -> None:
    with Chain(key) as chain:
        chain.board.act("stick:reset", 1)
        chain.step(5000)
        chain.board.act("button", 1)
        chain.step(100)
        chain.board.act("button", 0)
        chain.step(5000)
        assert not chain.energised_since(0)
        assert "reset button stuck" in chain.state.present


@pytest.mark.requirement("SR-11", "SR-16")
def test_contacts_that_disagree_lock_out_for_good(running: Chain) -> None:
    running.board.act("stick:contact_a", 0)
    running.step(150)
    assert running.state.state is State.LOCKOUT
    running.board.act("stick:contact_a", -1)
    locked_us = running.board.now_us
    running.step(50)
    running.press_reset()
    assert not running.energised_since(locked_us)
    assert "contact discrepancy" in running.state.causes


@pytest.mark.requirement("SR-12")
@pytest.mark.parametrize("relay", [1, 2])
def test_a_welded_relay_locks_out_after_the_other_has_cut_the_load(
    running: Chain, relay: int
) -> None:
    running.board.act(f"stick:relay_{relay}", 1)
    running.step(5)
    running.board.act("button", 1)
    pressed_us = running.board.now_us
    running.step(100)
    assert running.board.last("load", 0).at_us - pressed_us < 10_000
    assert running.state.state is State.LOCKOUT
    assert f"mirror contact K{relay}" in running.state.causes


@pytest.mark.requirement("SR-12")
def test_a_relay_that_does_not_pull_in_locks_out(key: bytes) -> None:
    with Chain(key) as chain:
        chain.board.act("stick:mirror_1", 1)
        chain.step(100)
        chain.press_reset()
        chain.step(100)
        assert chain.state.state is State.LOCKOUT
        assert chain.board.values["k2_pin"] == 0


@pytest.mark.requirement("SR-16")
@pytest.mark.parametrize(
    ("key_at_power_up", "locked"), [(False, True), (True, False)], ids=["operation", "maintenance"]
)
def test_a_lockout_outlives_power_cycles_but_for_maintenance(
    key: bytes, tmp_path: Path, key_at_power_up: bool, locked: bool
) -> None:
    with Chain(key, flash=tmp_path) as chain:
        chain.run()
        chain.board.act("stick:contact_a", 0)
        chain.step(300)
        assert chain.state.state is State.LOCKOUT
    with Chain(key, flash=tmp_path, before={"key": int(key_at_power_up)}) as chain:
        chain.step(100)
        chain.board.act("key", 0)
        chain.step(200)
        assert (chain.state.state is State.LOCKOUT) == locked
        chain.press_reset()
        assert chain.board.load != locked


@pytest.mark.requirement("SR-16")
@pytest.mark.parametrize("record", ["", "garbage", "0", "\x00\xff"])
def test_a_damaged_lockout_record_is_a_lockout(key: bytes, tmp_path: Path, record: str) -> None:
    (tmp_path / "lockout").write_text(record)
    with Chain(key, flash=tmp_path) as chain:
        chain.step(100)
        chain.press_reset()
        assert not chain.energised_since(0)
        assert chain.state.state is State.LOCKOUT


@pytest.mark.requirement("SR-16")
def test_the_key_switch_stops_and_keeps_stopped(running: Chain) -> None:
    running.board.act("key", 1)
    turned_us = running.board.now_us
    running.step(50)
    running.press_reset()
    assert not running.board.load
    assert not running.energised_since(turned_us)
    assert running.state.first_cause == "key switch"


@pytest.mark.requirement("SR-09")
def test_a_supply_that_fails_and_returns_stays_stopped_and_is_no_lockout(running: Chain) -> None:
    running.board.act("supply", 0)
    running.step(300)
    running.board.act("supply", 1)
    returned_us = running.board.now_us
    running.step(1000)
    assert not running.energised_since(returned_us)
    assert running.state.state is State.STOPPED
    assert running.state.first_cause == "brown-out"


@pytest.mark.requirement("SR-09")
def test_a_chip_reset_in_run_ends_in_stopped_with_its_cause(key: bytes, tmp_path: Path) -> None:
    """An exception in the loop resets the chip: main.py leaves nothing else."""
    firmware = patched_firmware(
        tmp_path,
        "controller.py",
        "        before = self.decide.state\n",
        "        before = self.decide.state\n"
        f"        if self._uptime == {IN_RUN_MS}:\n            raise RuntimeError\n",
    )
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        reset_us = chain.board.now_us
        chain.step(400)
        assert chain.board.resets == ["reset"]
        assert not chain.energised_since(reset_us)
        assert not chain.board.load
        assert chain.state.first_cause == "watchdog reset"
        assert any(isinstance(event, Rebooted) for event in chain.events)


@pytest.mark.requirement("SR-09")
@pytest.mark.parametrize(
    ("chip_reset", "cause"), [(1 << 16, "power up"), (1 << 17, "brown-out")], ids=["POR", "BOR"]
)
def test_a_pico_2_tells_a_brown_out_from_power_up(
    key: bytes, tmp_path: Path, chip_reset: int, cause: str
) -> None:
    firmware = patched_firmware(
        tmp_path,
        "controller.py",
        '    board = BoardRP2350() if "RP2350" in',
        "    import machine\n"
        f"    machine.mem32[0x4010002C] = {chip_reset}\n"
        '    board = BoardRP2350() if "linux" in',
    )
    with Chain(key, firmware=firmware) as chain:
        chain.step(100)
        assert chain.state.first_cause == cause
        chain.run()


@pytest.mark.requirement("SR-15", "SR-09")
def test_a_loop_that_stops_feeding_is_reset_by_the_watchdog(key: bytes, tmp_path: Path) -> None:
    firmware = patched_firmware(
        tmp_path,
        "controller.py",
        "        self._board.feed_watchdogs(outputs)\n",
        f"        if self._uptime < {IN_RUN_MS}:\n"
        "            self._board.feed_watchdogs(outputs)\n",
    )
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        chain.step(600)
        assert chain.board.resets == ["watchdog"]
        assert not chain.board.load


@pytest.mark.requirement("SR-18")
def test_garbage_is_collected_soon_and_where_it_makes_no_tick_late(
    key: bytes, tmp_path: Path
) -> None:
    flash = tmp_path / "flash"
    flash.mkdir()
    spied = "open('spy', 'a').write('%d %d\\n' % (self._uptime, self.link.lines))\n"
    firmware = patched_firmware(
        tmp_path,
        "controller.py",
        "        lines = self.link.lines\n",
        f"        {spied}        lines = self.link.lines\n",
    )
    with Chain(key, firmware=firmware, flash=flash) as chain:
        chain.run()
        chain.step(2000)
    rows = [[int(word) for word in line.split()] for line in (flash / "spy").open()]
    rows = [row for row in rows if row[0] > 200]
    collected = [i for i in range(1, len(rows) - 1) if rows[i][1] < rows[i - 1][1]]
    assert len(collected) > 10
    assert max(rows[i - 1][1] for i in collected) < 48, "lines that left garbage"
    assert not any(rows[i + 1][1] for i in collected), "the next tick takes and sends none"


@pytest.mark.requirement("SR-09")
def test_without_a_link_key_nothing_runs(key: bytes, tmp_path: Path) -> None:
    with Chain(key, flash=tmp_path) as chain:
        (tmp_path / "settings.json").write_text('{"key": "too short"}')
        chain.step(100)
        chain.press_reset()
        assert not chain.energised_since(0)
        assert "link key missing" in chain.state.present


@pytest.mark.requirement("SR-07", "SR-17")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_bytes_from_the_host_leave_stopped(data: st.DataObject) -> None:
    key = bytes(range(32))
    frames = st.builds(
        wire.encode,
        st.sampled_from(
            [wire.ASK_HELLO, wire.HEARTBEAT, wire.STANDSTILL, wire.HELLO, wire.STATUS, 0x55]
        ),
        st.integers(0, 0xFFFF),
        st.binary(max_size=40),
    )
    pieces = data.draw(st.lists(st.one_of(frames, st.binary(max_size=200)), max_size=30))
    with Chain(key) as chain:
        chain.step(100)
        for piece in pieces:
            chain.board.write(piece)
            chain.step(7)
        chain.step(200)
        assert not chain.energised_since(0)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("attack", ["replayed", "forged", "delayed", "reordered"])
def test_heartbeats_that_are_not_fresh_and_authentic_do_not_keep_the_load_on(
    running: Chain, attack: str
) -> None:
    recorded = [
        line
        for line in running.sent_by_host
        if (frame := wire.decode(line.strip())) and frame[1] == wire.HEARTBEAT
    ]
    running.alive = False
    running.step(10)
    cut_us = running.board.now_us
    send = _attacks(running, recorded)[attack]
    for _ in range(50):
        running.board.write(send())
        running.step(10)
    running.step(100)  # the controller echoes the host again
    dead = running.board.last("load", 0)
    assert dead.at_us - cut_us <= 100_000 + TICK_US + K2_OFF_US
    assert running.state.first_cause == "heartbeat lost"
    assert not running.board.load


def _attacks(chain: Chain, recorded: list[bytes]) -> dict[str, Callable[[], bytes]]:
    forger = wire.Signer(bytes(32))
    held: list[bytes] = []

    def forged() -> bytes:
        status = chain.session._status
        assert status is not None
        return forger.heartbeat(1, status.nonce)

    def delayed() -> bytes:
        """Right, but for a challenge of 100 ms ago."""
        held.append(chain.session.answer(chain.board.now))
        return held[-11] if len(held) > 10 else b""

    def reordered() -> bytes:
        """Two recorded ones, the newer first."""
        return recorded[-1] + recorded[-2]

    return {
        "replayed": lambda: recorded[-1],
        "forged": forged,
        "delayed": delayed,
        "reordered": reordered,
    }


@pytest.mark.requirement("SR-21")
def test_a_stale_state_is_no_state(running: Chain) -> None:
    running.connected = False
    running.step(150)
    assert running.state.state is State.UNKNOWN
    assert running.state.load is Load.UNPROVEN


@pytest.mark.requirement("SR-21")
def test_what_waited_in_a_buffer_is_not_news(running: Chain) -> None:
    """Status frames that were held back on the way arrive at once and late: nothing is claimed."""
    late = b"".join(running.board.advance(1) for _ in range(300))
    running.session.receive(late, running.board.now)
    assert running.state.state is State.UNKNOWN


@pytest.mark.requirement("SR-22")
def test_every_transition_is_told_with_cause_and_the_inputs_that_tripped(running: Chain) -> None:
    running.board.act("stick:contact_b", 0)
    running.step(20)
    transition = [event for event in running.events if isinstance(event, Transition)][-1]
    assert transition.cause == "button contact B"
    assert not transition.measured.contact_b_closed
    assert transition.measured.contact_a_closed


def test_two_runs_are_the_same_to_the_byte(key: bytes) -> None:
    def trace() -> tuple[list[tuple[int, str, int]], bytes]:
        with Chain(key, seed=7) as chain:
            chain.run()
            chain.board.act("button", 1)
            chain.step(100)
            changes = [(c.at_us, c.signal, c.value) for c in chain.board.changes]
            return changes, bytes(chain.sent_by_board)

    assert trace() == trace()


def test_the_controllers_states_are_the_hosts(key: bytes) -> None:
    assert set(decide.STATE_NAMES.values()) | {"UNKNOWN"} == {state.value for state in State}
