"""Whatever the link carries, a tick does a bounded amount of work and a stop is taken (SR-18)."""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flood import endless, random_frame, random_garbage

from redbutton.firmware import wire
from redbutton.model import State
from redbutton.virtual.chain import Chain

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import flood_lateness

BYTES_PER_TICK = 16
FRAMES = 100_000
HEAP_SLACK = 4096


@pytest.fixture
def running(key: bytes) -> Iterator[Chain]:
    """A chain in RUN, load on."""
    with Chain(key) as chain:
        yield chain.run()


def _bounded(stats: dict[str, dict[str, int]]) -> bool:
    most = stats["most_in_a_tick"]
    return most["bytes"] <= BYTES_PER_TICK and most["frames"] <= 1 and most["tags"] <= 1


@pytest.mark.requirement("SR-18", "SR-17", "SR-03")
def test_a_hundred_thousand_random_frames_change_nothing_and_a_stop_is_taken_at_once(
    running: Chain, say: Callable[[str], None]
) -> None:
    """Frames and garbage in every tick that the host leaves free, as much as a tick takes."""
    source = random.Random(18)
    heap = running.board.stats()["heap_used"]
    energised_us = running.board.last("k2_pin", 1).at_us
    flooded = 0
    room = 0  # bytes that the link carries beside the host's own

    def flood() -> None:
        nonlocal flooded, room
        room += BYTES_PER_TICK - 6
        while room > 0:
            piece = random_frame(source) if source.random() < 0.9 else random_garbage(source)
            running.board.write(piece)
            room -= len(piece)
            flooded += 1

    while flooded < FRAMES:
        running.step(1000, on_tick=flood)
        running.sent_by_host.clear()
    stats = running.board.stats()

    assert running.board.load, "a flood within what the link carries is no reason to stop"
    assert running.board.last("k2_pin", 1).at_us == energised_us
    assert running.board.last("k2_pin", 0).at_us < energised_us
    assert _bounded(stats)
    assert stats["heap_used"] - heap < HEAP_SLACK
    refused = running.session._status.heartbeats_refused if running.session._status else 0
    assert refused > 0, "the flood did not arrive"

    running.step(5)
    running.board.write(b"!" + running.session.stop(0))  # both within one tick's bytes
    tick_us = running.board.now_us + 1000
    running.step(1)
    assert running.board.last("k2_pin", 0).at_us == tick_us
    running.step(100)
    assert not running.board.load
    running.press_reset()
    assert running.board.load
    say(
        f"{flooded} random frames and pieces of garbage: most in a tick "
        f"{stats['most_in_a_tick']}, heap in use {heap} -> {stats['heap_used']} bytes"
    )


@pytest.mark.requirement("SR-18", "SR-04")
def test_more_than_the_link_carries_ends_in_a_stop_and_then_in_normal_service(
    running: Chain,
) -> None:
    """The input is never empty for two seconds: the host's heartbeats come too late in it."""
    pieces = endless(7)
    heap = running.board.stats()["heap_used"]
    begin_us = running.board.now_us

    def saturate() -> None:
        for _ in range(2):
            running.board.write(next(pieces))

    running.step(500, on_tick=saturate)
    dead = running.board.last("load", 0)
    stats = running.board.stats()
    assert dead.at_us - begin_us < 250_000
    assert not running.energised_since(dead.at_us)
    assert _bounded(stats)
    assert stats["heap_used"] - heap < HEAP_SLACK

    running.step(8000)  # what is queued is worked off
    assert running.state.state is State.STOPPED
    assert not running.energised_since(dead.at_us)
    running.press_reset()
    assert running.board.load


@pytest.mark.requirement("SR-18")
def test_a_host_that_reads_nothing_delays_no_tick(key: bytes) -> None:
    """The controller's output is not taken: it drops frames, and its ticks go on."""
    with Chain(key) as chain:
        chain.run()
        chain.board.read_serial = False
        ticks = chain.board.stats()
        chain.alive = chain.connected = False
        chain.step(25_000)
        stats = chain.board.stats()
        assert stats["ticks"] == 25_000
        assert not chain.board.load
        assert stats["heap_used"] - ticks["heap_used"] < HEAP_SLACK


@pytest.mark.requirement("SR-18")
def test_in_real_time_every_tick_happens_under_a_flood(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    """Lateness is printed against the same run without the flood; only work is asserted."""
    quiet, flooded = flood_lateness.measure(tmp_path, seconds=2.0)
    assert _bounded(flooded.stats)
    assert flooded.sent > 10_000
    say(flood_lateness.table(quiet, flooded))


def test_the_flood_holds_frames_that_the_controller_takes_apart() -> None:
    source = random.Random(1)
    frames = [wire.decode(random_frame(source).strip()) for _ in range(100)]
    assert all(frames)
