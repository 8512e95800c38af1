"""The controller's journal through the whole chain, in virtual time (SR-22)."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from flashes import patched_firmware

from redbutton.firmware import wire
from redbutton.journal import JournalAnswer, JournalEntry, Reading
from redbutton.model import State
from redbutton.session import Transition
from redbutton.virtual.chain import TICK_US, Chain

OFF = (State.STOPPED, State.LOCKOUT)


def read(chain: Chain, key: bytes, since: int = 0) -> Reading:
    """The journal from an entry on, asked for as a host does."""
    reading = Reading(since, key)
    for _ in range(400):
        chain.events.clear()
        chain._send(chain.session.ask_journal(reading.sequence, chain.board.now))
        for _ in range(40):
            chain.step(1)
            answers = [event for event in chain.events if isinstance(event, JournalAnswer)]
            if answers:
                reading.take(answers[-1])
                break
        if reading.over:
            return reading
    raise AssertionError("the journal has no end")


def told(entry: JournalEntry) -> tuple[str, str | None]:
    return entry.sentence(), entry.cause


@pytest.mark.requirement("SR-22", "SR-09")
def test_the_journal_tells_after_a_power_cycle_what_pressed_the_button(
    key: bytes, tmp_path: Path
) -> None:
    with Chain(key, flash=tmp_path) as chain:
        chain.run()
        chain.board.act("button", 1)
        chain.step(200)
        live = [event for event in chain.events if isinstance(event, Transition)]
    with Chain(key, flash=tmp_path) as chain:
        chain.step(200)
        reading = read(chain, key)

    assert reading.faults() == []
    assert [told(entry) for entry in reading.entries] == [
        ("started, STOPPED", "power up"),
        ("STOPPED -> TESTING", None),
        ("TESTING -> RUN", None),
        ("RUN -> STOPPED", "button contact A"),
        ("started, STOPPED", "power up"),
    ]
    assert [entry.sequence for entry in reading.entries] == [1, 2, 3, 4, 5]
    assert [entry.boot for entry in reading.entries] == [1, 1, 1, 1, 2]
    assert all(entry.authentic and entry.stored for entry in reading.entries)
    stop = reading.entries[3]
    assert stop.first_cause == "button contact A"
    assert not stop.measured.contact_a_closed
    assert not stop.measured.mirror_1_closed
    # The same that was told when it happened.
    assert [(t.number, t.before, t.after, t.cause, t.uptime_ms, t.measured) for t in live] == [
        (e.number, e.before, e.after, e.cause, e.uptime_ms, e.measured)
        for e in reading.entries[1:4]
    ]


@pytest.mark.requirement("SR-22")
def test_entries_can_be_read_in_run_before_they_are_in_flash(key: bytes) -> None:
    with Chain(key) as chain:
        chain.run()
        reading = read(chain, key)
        assert told(reading.entries[-1]) == ("TESTING -> RUN", None)
        assert not reading.entries[-1].stored
        assert reading.entries[0].stored
        assert all(entry.authentic for entry in reading.entries)
        assert chain.board.load


@pytest.mark.requirement("SR-22", "SR-01")
@pytest.mark.parametrize("stop_delay_ms", [0, 300])
def test_flash_is_written_only_while_the_power_is_proven_off(
    key: bytes, tmp_path: Path, stop_delay_ms: int
) -> None:
    with Chain(key, flash=tmp_path, stop_delay_ms=stop_delay_ms) as chain:
        writes = 0
        size = 0

        def watch() -> None:
            nonlocal size, writes
            now = sum(file.stat().st_size for file in (tmp_path / "entries").glob("*"))
            if now != size:
                assert chain.state.state in OFF
                assert not chain.board.load
                assert chain.board.values["mirror_1"] and chain.board.values["mirror_2"]
                assert now - size == 44, "more than one entry in a tick"
                writes += 1
            size = now

        for _ in range(2):
            chain.step(150, on_tick=watch)
            chain.board.act("reset", 1)
            chain.step(300, on_tick=watch)
            chain.board.act("reset", 0)
            chain.step(600, on_tick=watch)
            assert chain.board.load
            chain.request_stop(1)
            chain.step(500, on_tick=watch)
        assert writes == read(chain, key).entries[-1].sequence >= 7


def _no_room(flash: Path) -> None:
    (flash / "entries").mkdir()
    for name in range(8):
        (flash / "entries" / str(name)).symlink_to("/dev/full")


def _no_file_can_be_opened(flash: Path) -> None:
    (flash / "entries").mkdir()
    for name in range(8):
        (flash / "entries" / str(name)).mkdir()


@pytest.mark.requirement("SR-22", "SR-02")
@pytest.mark.parametrize("broken", [_no_room, _no_file_can_be_opened])
def test_a_flash_that_fails_changes_no_stop_and_the_host_is_told(
    key: bytes, tmp_path: Path, broken: Callable[[Path], None]
) -> None:
    def story(flash: Path, fails: bool) -> list[tuple[int, str, int]]:
        with Chain(key, flash=flash) as chain:
            chain.run()
            assert chain.state.journal_fails == fails
            chain.board.act("button", 1)
            chain.step(300)
            chain.board.act("button", 0)
            chain.step(100)
            chain.press_reset()
            assert chain.board.load
            chain.alive = False
            chain.step(300)
            assert chain.state.state is State.STOPPED
            assert chain.state.journal_fails == fails
            reading = read(chain, key)
            assert len(reading.entries) == 7, "served from memory"
            assert bool(reading.faults()) == fails
            assert not chain.board.resets
            return [(c.at_us, c.signal, c.value) for c in chain.board.changes]

    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    broken(tmp_path / "bad")
    assert story(tmp_path / "bad", True) == story(tmp_path / "good", False)


@pytest.mark.requirement("SR-22", "SR-18")
def test_a_flood_of_questions_in_run_delays_nothing(key: bytes) -> None:
    with Chain(key) as chain:
        chain.run()
        question = wire.encode(wire.ASK_JOURNAL, 1, struct.pack(">I", 1))
        ages: list[int] = []

        def flood() -> None:
            if chain.board.now_us // TICK_US % 3 == 0:  # more is more than the link carries
                chain.board.write(question)
            assert chain.session._status is not None  # whatever the flood made it echo
            ages.append(chain.session._status.heartbeat_age)

        def statuses() -> int:
            frames = [wire.decode(line) for line in bytes(chain.sent_by_board).split(b"\n")]
            chain.sent_by_board.clear()
            return sum(frame is not None and frame[1] == wire.STATUS for frame in frames)

        chain.board.stats()
        heap = chain.board.stats()["heap_used"]
        statuses()
        chain.events.clear()
        chain.step(2000, on_tick=flood)
        stats = chain.board.stats()

        assert chain.board.load
        assert stats["ticks"] == 2000
        assert max(ages) < 40
        assert abs(statuses() - 100) <= 1, "a status every 20 ms as ever"
        assert stats["most_in_a_tick"]["tags"] <= 1
        assert stats["heap_used"] - heap < 4096
        answers = sum(isinstance(event, JournalAnswer) for event in chain.events)
        assert 100 <= answers <= 300
        assert chain.session._status and chain.session._status.heartbeats_refused == 0

        pressed_us = chain.board.now_us
        chain.board.act("button", 1)
        chain.step(20, on_tick=flood)
        assert chain.board.last("load", 0).at_us - pressed_us < 6000


@pytest.mark.requirement("SR-22")
def test_the_ring_keeps_the_newest_and_says_which_are_gone(key: bytes, tmp_path: Path) -> None:
    with Chain(key, flash=tmp_path) as chain:
        chain.step(100)
        book = tmp_path / "entries" / "0"
        assert book.stat().st_size == 44
    forger = wire.Signer(bytes(32))
    entry = wire.struct.pack(wire.ENTRY_LAYOUT, 700, 3, 1, 1, 5, 0x69, 0x0F, 4, 4, 0, 0)
    record = entry + forger.mac(entry)[:16]
    record += struct.pack(">I", wire.binascii.crc32(record))
    (tmp_path / "entries" / str(700 // 16 % 8)).write_bytes(record)
    with Chain(key, flash=tmp_path) as chain:
        chain.step(100)
        reading = read(chain, key)

    assert reading.last and reading.last.oldest == (700 // 16 - 7) * 16
    assert [entry.sequence for entry in reading.entries] == [700, 701]
    assert [entry.boot for entry in reading.entries] == [3, 4]
    assert reading.missing == list(range((700 // 16 - 7) * 16, 700))
    assert [entry.authentic for entry in reading.entries] == [False, True]
    faults = "; ".join(reading.faults())
    assert "missing: entries 576 to 699" in faults
    assert "not made by this controller under this link key: entry 700" in faults


def _slow_flash(folder: Path, ms: int) -> tuple[Path, ...]:
    """The firmware on a flash that takes so long for each entry."""
    old = "        at = _at(self.unwritten)\n"
    slow = f"        import time\n\n        time.sleep_us({ms * 1000})\n"
    return patched_firmware(folder, "journal.py", old, slow + old)


@pytest.mark.requirement("SR-22", "SR-09")
@pytest.mark.parametrize("ms", [50, 399, 1500])
def test_a_slow_write_is_no_watchdog_reset_and_run_is_reached(
    key: bytes, tmp_path: Path, ms: int
) -> None:
    with Chain(key, firmware=_slow_flash(tmp_path, ms)) as chain:
        chain.step(200 + ms)
        chain.press_reset()
        assert chain.board.load
        assert not chain.board.resets
        assert chain.state.first_cause is None


@pytest.mark.requirement("SR-22", "SR-15")
@pytest.mark.parametrize(("ms", "resets"), [(7900, []), (8100, ["watchdog"])])
def test_a_write_that_does_not_end_is_a_watchdog_reset(
    key: bytes, tmp_path: Path, ms: int, resets: list[str]
) -> None:
    with Chain(key, firmware=_slow_flash(tmp_path, ms)) as chain:
        chain.step(8_400)
        assert chain.board.resets == resets
        assert not chain.energised_since(0)


@pytest.mark.requirement("SR-22", "SR-11", "SR-12")
@pytest.mark.parametrize("contact", ["contact_a", "contact_b", "mirror_1", "mirror_2"])
def test_a_contact_that_moves_during_a_slow_write_has_its_whole_time(
    key: bytes, tmp_path: Path, contact: str
) -> None:
    """The first write begins 60 ms after power-up and takes 150 ms."""
    with Chain(key, firmware=_slow_flash(tmp_path, 150)) as chain:
        chain.board.act(f"stick:{contact}", 0, 200_000)
        chain.board.act(f"stick:{contact}", -1, 235_000)
        chain.step(600)
        assert chain.state.state is State.STOPPED
        chain.press_reset()
        assert chain.board.load


@pytest.mark.requirement("SR-22", "SR-11", "SR-12")
@pytest.mark.parametrize(
    ("signal", "ms"), [("contact_a", 90), ("contact_b", 90), ("mirror_1", 40)]
)
def test_no_slow_write_begins_while_contacts_are_not_at_rest(
    key: bytes, tmp_path: Path, signal: str, ms: int
) -> None:
    with Chain(key, firmware=_slow_flash(tmp_path, 150)) as chain:
        chain.board.act(f"stick:{signal}", 0, 60_000)
        chain.board.act(f"stick:{signal}", -1, 60_000 + 1000 * ms)
        chain.step(600)
        assert chain.state.state is State.STOPPED


@pytest.mark.requirement("SR-16", "SR-22")
def test_a_lockout_record_that_cannot_be_read_is_a_lockout(key: bytes, tmp_path: Path) -> None:
    (tmp_path / "lockout").mkdir()
    with Chain(key, flash=tmp_path) as chain:
        chain.step(200)
        assert chain.state.state is State.LOCKOUT


@pytest.mark.requirement("SR-22", "SR-08")
@pytest.mark.parametrize(("pressed_ms", "acts"), [(30, True), (100, False), (400, True)])
def test_a_press_that_begins_during_a_slow_write_is_void(
    key: bytes, tmp_path: Path, pressed_ms: int, acts: bool
) -> None:
    """And one that has begun before is not disturbed: the write waits."""
    with Chain(key, firmware=_slow_flash(tmp_path, 150)) as chain:
        # A press counts only after the contact has been seen open for 50 ms.
        chain.board.act("reset", 1, 1000 * (pressed_ms + 25))
        chain.board.act("reset", 0, 1000 * (pressed_ms + 425))
        chain.step(1400)
        assert chain.board.load == acts


@pytest.mark.requirement("SR-22")
def test_a_controller_without_a_key_keeps_a_journal_that_nobody_takes_for_authentic(
    key: bytes, tmp_path: Path
) -> None:
    with Chain(key, flash=tmp_path) as chain:
        (tmp_path / "settings.json").write_text("{}")
        chain.step(200)
        (entry,) = read(chain, key).entries
        assert told(entry) == ("started, STOPPED", "power up")
        assert entry.stored
        assert entry.authentic is False
