"""The controller's end of the link, in the real MicroPython interpreter, on a port made for it."""

import itertools
import json
import random
import subprocess
from collections.abc import Iterator
from typing import Any

import chip
import independent
import pytest

from redbutton.firmware import decide, wire
from redbutton.firmware.decide import NO_HEARTBEAT

OTHER_KEY = b"\xa5" * 32
STALE, FORGED, NO_KEY = 1, 2, 3
BYTES_PER_TICK = 16


class Controller:
    """The link in its interpreter."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, question: str, *arguments: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([question, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer.startswith(("{", "[", "null")):
            raise AssertionError(answer + self._process.stdout.read())
        return json.loads(answer)

    def challenge(self, now: int) -> bytes:
        """Send a status; the challenge in it."""
        (line,) = self.ask("status", now)
        (frame,) = independent.frames(bytes.fromhex(line))
        assert frame[1] == independent.STATUS
        return frame[3][:8]

    def feed(self, *lines: bytes) -> None:
        """Lines for the port to hand out, each between newlines."""
        self.ask("feed", b"".join(b"\n" + line + b"\n" for line in lines).hex())

    def receive(self, now: int = 0) -> dict[str, int]:
        """One tick."""
        return self.ask("receive", now)

    def take(self, line: bytes, now: int = 0) -> dict[str, int]:
        """Ticks at the same time until this line is through; the first that brought anything."""
        self.feed(line)
        found = [self.receive(now)]
        while found[-1]["left"]:
            found.append(self.receive(now))
        return next(
            (tick for tick in found if tick["request"] or tick["heartbeat"] != NO_HEARTBEAT),
            found[-1],
        )

    def counters(self) -> dict[str, Any]:
        return self.ask("counters")


@pytest.fixture(scope="module")
def process() -> "Iterator[subprocess.Popen[str]]":
    """The interpreter, one for all tests here."""
    with chip.start("chip_link.py") as process:
        yield process
        process.stdin.close()


@pytest.fixture
def controller(process, key) -> Controller:
    """A new link that holds the key."""
    controller = Controller(process)
    controller.ask("new", key.hex())
    return controller


@pytest.fixture
def keyless(process) -> Controller:
    """A new link without a key."""
    controller = Controller(process)
    controller.ask("new", None)
    return controller


def counts(tick: dict[str, int]) -> bool:
    return tick["heartbeat"] != NO_HEARTBEAT


# --- Heartbeats that count -------------------------------------------------------------------


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize(
    ("issued", "now", "age"),
    [
        (0, 0, 0),
        (10, 10, 0),
        (10, 11, 1),
        (10, 109, 99),
        (10, 110, 100),
        (10, 5010, 5000),
        ((1 << 30) - 1, 0, 1),  # uptime wraps
        ((1 << 30) - 10, 20, 30),
    ],
)
def test_an_answer_to_a_live_challenge_counts_with_the_age_of_the_challenge(
    controller, key, issued, now, age
):
    nonce = controller.challenge(issued)

    tick = controller.take(independent.heartbeat(key, 1, nonce), now)

    assert tick["heartbeat"] == age
    assert tick["request"] == 0
    assert controller.counters()["heartbeats_taken"] == 1
    assert controller.counters()["heartbeats_refused"] == 0


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("newer", [0, 1, 2, 3])
def test_an_answer_to_one_of_the_last_four_challenges_counts(controller, key, newer):
    nonce = controller.challenge(0)
    for i in range(newer):
        controller.challenge(10 + 10 * i)

    tick = controller.take(independent.heartbeat(key, 1, nonce), 50)

    assert tick["heartbeat"] == 50


@pytest.mark.requirement("SR-17")
def test_answers_in_order_all_count(controller, key):
    nonces = [controller.challenge(10 * i) for i in range(4)]

    ages = [
        controller.take(independent.heartbeat(key, i, nonce), 40)["heartbeat"]
        for i, nonce in enumerate(nonces)
    ]

    assert ages == [40, 30, 20, 10]


@pytest.mark.requirement("SR-17")
def test_a_heartbeat_counts_in_one_tick_only(controller, key):
    nonce = controller.challenge(0)
    assert counts(controller.take(independent.heartbeat(key, 1, nonce), 5))

    assert not counts(controller.receive(6))


@pytest.mark.requirement("SR-17")
def test_challenges_are_answered_however_often_the_ring_turns(controller, key):
    for i in range(50):
        nonce = controller.challenge(10 * i)
        line = independent.heartbeat(key, i, nonce)
        assert controller.take(line, 10 * i + 3)["heartbeat"] == 3
        assert not counts(controller.take(line, 10 * i + 4))

    assert controller.counters()["heartbeats_taken"] == 50
    assert controller.counters()["heartbeats_refused"] == 50


# --- Heartbeats that do not ------------------------------------------------------------------


def refused(controller: Controller, line: bytes, reason: int, now: int = 5) -> None:
    """Assert that this heartbeat does not count and is reported with the reason."""
    before = controller.counters()

    tick = controller.take(line, now)

    after = controller.counters()
    assert not counts(tick)
    assert tick["request"] == 0
    assert after["heartbeats_taken"] == before["heartbeats_taken"]
    assert after["heartbeats_refused"] == before["heartbeats_refused"] + 1
    assert after["refusal"] == reason


@pytest.mark.requirement("SR-17")
def test_a_replayed_heartbeat_is_stale(controller, key):
    nonce = controller.challenge(0)
    line = independent.heartbeat(key, 1, nonce)
    assert counts(controller.take(line))

    for _ in range(3):
        refused(controller, line, STALE)


@pytest.mark.requirement("SR-17")
def test_a_second_answer_to_the_same_challenge_is_stale(controller, key):
    nonce = controller.challenge(0)
    assert counts(controller.take(independent.heartbeat(key, 1, nonce)))

    refused(controller, independent.heartbeat(key, 2, nonce), STALE)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(range(4), 2)))
def test_an_older_challenge_answered_after_a_newer_one_is_stale(
    controller, key, turned, older, newer
):
    for _ in range(turned):  # wherever the ring of challenges begins
        controller.challenge(0)
    nonces = [controller.challenge(10 * i) for i in range(4)]
    assert counts(controller.take(independent.heartbeat(key, 1, nonces[newer]), 40))

    refused(controller, independent.heartbeat(key, 2, nonces[older]), STALE, 41)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(range(4), 2)))
def test_a_newer_challenge_still_counts_after_an_older_one(controller, key, turned, older, newer):
    for _ in range(turned):
        controller.challenge(0)
    nonces = [controller.challenge(10 * i) for i in range(4)]
    assert counts(controller.take(independent.heartbeat(key, 1, nonces[older]), 40))

    assert counts(controller.take(independent.heartbeat(key, 2, nonces[newer]), 41))


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("newer", [4, 5, 8])
def test_a_challenge_pushed_out_by_four_newer_ones_is_stale(controller, key, newer):
    nonce = controller.challenge(0)
    for i in range(newer):
        controller.challenge(i)

    refused(controller, independent.heartbeat(key, 1, nonce), STALE)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("nonce", [bytes(8), b"\xff" * 8, b"redbutto"])
def test_an_unknown_challenge_is_stale_before_and_after_the_first(controller, key, nonce):
    line = independent.heartbeat(key, 1, nonce)

    refused(controller, line, STALE)
    controller.challenge(0)
    refused(controller, line, STALE)


@pytest.mark.requirement("SR-17")
def test_a_challenge_of_another_power_up_is_stale(process, key):
    controller = Controller(process)
    controller.ask("new", key.hex())
    for _ in range(6):
        nonce = controller.challenge(0)

    controller.ask("new", key.hex())
    controller.challenge(0)

    refused(controller, independent.heartbeat(key, 1, nonce), STALE)


@pytest.mark.requirement("SR-17")
def test_a_heartbeat_under_another_key_is_forged(controller):
    nonce = controller.challenge(0)

    refused(controller, independent.heartbeat(OTHER_KEY, 1, nonce), FORGED)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("byte", range(16))
def test_a_heartbeat_with_one_byte_of_its_tag_changed_is_forged(controller, key, byte):
    nonce = controller.challenge(0)
    tag = bytearray(independent.tag(key, 1, nonce))
    tag[byte] ^= 0x80

    line = independent.frame(independent.HEARTBEAT, 1, nonce + bytes(tag))

    refused(controller, line, FORGED)


@pytest.mark.requirement("SR-17")
def test_a_heartbeat_whose_sequence_was_changed_is_forged(controller, key):
    nonce = controller.challenge(0)
    payload = nonce + independent.tag(key, 1, nonce)

    refused(controller, independent.frame(independent.HEARTBEAT, 2, payload), FORGED)


@pytest.mark.requirement("SR-17")
def test_a_tag_made_for_one_challenge_is_forged_for_another(controller, key):
    one = controller.challenge(0)
    other = controller.challenge(1)

    payload = other + independent.tag(key, 1, one)

    refused(controller, independent.frame(independent.HEARTBEAT, 1, payload), FORGED)


@pytest.mark.requirement("SR-17")
def test_a_forged_answer_does_not_use_up_the_challenge(controller, key):
    nonce = controller.challenge(0)
    refused(controller, independent.heartbeat(OTHER_KEY, 1, nonce), FORGED)

    assert counts(controller.take(independent.heartbeat(key, 1, nonce)))


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("with_key", [bytes(32), bytes(range(32))])
def test_without_a_key_no_heartbeat_counts(keyless, with_key):
    nonce = keyless.challenge(0)

    refused(keyless, independent.heartbeat(with_key, 1, nonce), NO_KEY)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("size", [*range(24), 25, 32])
def test_a_heartbeat_of_another_size_is_malformed_and_does_not_count(controller, key, size):
    nonce = controller.challenge(0)
    payload = (nonce + independent.tag(key, 1, nonce) + bytes(8))[:size]

    tick = controller.take(independent.frame(independent.HEARTBEAT, 1, payload))

    assert not counts(tick)
    assert controller.counters()["frames_malformed"] == 1
    assert controller.counters()["heartbeats_taken"] == 0


@pytest.mark.requirement("SR-17")
def test_a_truncated_line_of_a_heartbeat_does_not_count(controller, key):
    nonce = controller.challenge(0)
    line = independent.heartbeat(key, 1, nonce)

    for size in range(1, len(line)):
        assert not counts(controller.take(line[:size]))

    assert controller.counters()["frames_malformed"] == len(line) - 1
    assert counts(controller.take(line))


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("bit", range(0, 44 * 8, 5))
def test_a_corrupted_line_of_a_heartbeat_does_not_count(controller, key, bit):
    nonce = controller.challenge(0)
    line = bytearray(independent.heartbeat(key, 1, nonce))
    line[bit // 8] ^= 1 << bit % 8

    assert not counts(controller.take(bytes(line)))

    assert controller.counters()["heartbeats_taken"] == 0


@pytest.mark.requirement("SR-17")
def test_a_refused_status_issues_no_challenge_and_pushes_none_out(controller, key):
    nonce = controller.challenge(0)
    controller.ask("set_port", False)

    for i in range(8):
        assert controller.ask("status", i) == []

    assert counts(controller.take(independent.heartbeat(key, 1, nonce)))


@pytest.mark.requirement("SR-17")
def test_every_status_carries_another_challenge(controller):
    assert len({controller.challenge(i) for i in range(200)}) == 200


# --- Requests --------------------------------------------------------------------------------


@pytest.mark.requirement("SR-03", "SR-06")
@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00", b"\x02", b"\xff", b"\x01\x00", b"\x00\x01", b"\x01\x01", b"now", bytes(80)],
)
def test_a_stop_frame_with_any_payload_is_a_stop_of_category_0(controller, payload):
    tick = controller.take(independent.frame(independent.STOP, 1, payload))

    assert tick["request"] == decide.STOP_CATEGORY_0
    assert controller.counters()["stop_requests"] == 1


@pytest.mark.requirement("SR-05", "SR-06")
def test_a_stop_frame_may_ask_for_category_1(controller):
    tick = controller.take(independent.frame(independent.STOP, 1, b"\x01"))

    assert tick["request"] == decide.STOP_CATEGORY_1
    assert controller.counters()["stop_requests"] == 1


@pytest.mark.requirement("SR-06")
def test_a_stop_needs_neither_key_nor_challenge(keyless):
    tick = keyless.take(independent.frame(independent.STOP, 1, b"\x00"))

    assert tick["request"] == decide.STOP_CATEGORY_0


@pytest.mark.requirement("SR-06")
def test_a_thousand_stops_are_a_thousand_stops(controller):
    stop = independent.frame(independent.STOP, 1, b"\x00")

    for _ in range(1000):
        assert controller.take(stop)["request"] == decide.STOP_CATEGORY_0

    assert controller.counters()["stop_requests"] == 1000


@pytest.mark.requirement("SR-03", "SR-06")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_stop_among_other_frames_arrives_in_any_order(controller, key, order):
    nonce = controller.challenge(0)
    lines = [
        independent.frame(independent.STOP, 1, b"\x00"),
        independent.heartbeat(key, 2, nonce),
        b"rubbish of the length of a frame",
    ]
    controller.feed(*(lines[i] for i in order))

    ticks = [controller.receive(1) for _ in range(10)]

    assert [tick["request"] for tick in ticks].count(decide.STOP_CATEGORY_0) == 1
    assert [counts(tick) for tick in ticks].count(True) == 1


@pytest.mark.requirement("SR-03", "SR-06")
@pytest.mark.parametrize("kind", [independent.HEARTBEAT, independent.STOP, 0x00, 0xFF])
@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_frame_of_another_protocol_version_is_a_stop_cause(controller, version, kind):
    line = independent.frame(kind, 1, b"\x01", version)

    tick = controller.take(line)

    assert tick["request"] == decide.VERSION_DIFFERS


@pytest.mark.requirement("SR-17")
def test_a_heartbeat_of_another_protocol_version_does_not_count(controller, key):
    nonce = controller.challenge(0)
    payload = nonce + independent.tag(key, 1, nonce)

    tick = controller.take(independent.frame(independent.HEARTBEAT, 1, payload, 2))

    assert not counts(tick)
    assert tick["request"] == decide.VERSION_DIFFERS


@pytest.mark.requirement("SR-05")
def test_a_report_of_standstill_arrives(controller):
    tick = controller.take(independent.frame(independent.STANDSTILL, 1, b""))

    assert tick["request"] == decide.STANDSTILL


def test_a_hello_is_sent_first_and_when_asked_for(controller):
    assert controller.counters()["hello_asked"]
    controller.ask("hello_sent")

    controller.take(independent.frame(independent.ASK_HELLO, 1, b""))

    assert controller.counters()["hello_asked"]


def test_the_last_well_formed_frame_is_echoed(controller):
    for sequence in (7, 0xFFFF, 8):
        controller.take(independent.frame(independent.STANDSTILL, sequence, b""))
        assert controller.counters()["echo"] == sequence
    controller.take(independent.frame(0x77, 9, b""))

    assert controller.counters()["echo"] == 8


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x01", bytes(24), bytes(60)])
def test_only_known_kinds_do_anything_and_none_of_them_resets(controller, payload):
    known = {
        independent.STOP: {decide.STOP_CATEGORY_0, decide.STOP_CATEGORY_1},
        independent.STANDSTILL: {0, decide.STANDSTILL},
    }
    for kind in range(256):
        tick = controller.take(independent.frame(kind, 1, payload))

        assert tick["request"] in known.get(kind, {0}), kind
        assert not counts(tick)


def test_the_link_names_its_key(controller, key):
    assert controller.counters()["key_id"] == independent.key_id(key).hex()


def test_a_link_without_a_key_names_none(keyless):
    assert keyless.counters()["key_id"] == "00000000"


# --- The witness -----------------------------------------------------------------------------

WITNESS_KEY = bytes(range(100, 132))
DIGESTS = [bytes([i]) * 32 for i in range(1, 5)]


@pytest.fixture
def witness(process, key) -> Controller:
    """A new link that can sign as a witness, too."""
    controller = Controller(process)
    controller.ask("new", key.hex(), WITNESS_KEY.hex())
    return controller


def word_of(controller: Controller, asked: bytes, now: int = 0) -> "dict[str, Any] | None":
    """What it says as a witness when it is asked so; its tag is right."""
    controller.take(independent.frame(independent.ASK_WITNESS, 1, asked), now)
    answers, payload, _ = controller.ask("witness")
    if not answers or not payload:
        return None if not answers else {}
    packed = bytes.fromhex(payload)
    assert packed[-16:] == independent.witness_tag(WITNESS_KEY, packed[:-16])
    word = {}
    for name, width, how in independent.FIELDS[independent.WITNESS]:
        part, packed = packed[:width], packed[width:]
        word[name] = part if how == "x" else int.from_bytes(part, "big")
    return word


@pytest.mark.requirement("SR-22")
def test_a_witness_signs_what_it_is_asked_to_and_counts(witness):
    words = [word_of(witness, digest, now) for now, digest in enumerate(DIGESTS)]

    assert [word["digest"] for word in words] == DIGESTS
    assert [word["count"] for word in words] == [1, 2, 3, 4]
    assert [word["uptime"] for word in words] == [0, 1, 2, 3]
    assert {word["boot"] for word in words} == {7}
    assert len({word["power_up"] for word in words}) == 1


@pytest.mark.requirement("SR-22")
def test_the_same_again_is_signed_once_and_what_was_signed_last_is_told(witness):
    first = word_of(witness, DIGESTS[0], 5)

    assert word_of(witness, DIGESTS[0], 9) == first
    assert word_of(witness, b"", 9) == first
    other = word_of(witness, DIGESTS[1], 9)
    assert other["count"] == 2
    assert word_of(witness, b"", 10) == other
    again = word_of(witness, DIGESTS[0], 11)  # not the last one: signed anew
    assert again["count"] == 3


@pytest.mark.requirement("SR-22")
def test_a_witness_that_has_signed_nothing_says_so(witness):
    assert word_of(witness, b"") == {}


@pytest.mark.requirement("SR-22")
def test_without_a_witness_key_nothing_is_answered(controller, keyless):
    for link in (controller, keyless):
        for asked in (b"", DIGESTS[0]):
            assert word_of(link, asked) is None
            assert link.receive()["tags"] == 0
    assert controller.counters()["frames_malformed"] == 0


@pytest.mark.requirement("SR-22", "SR-18")
@pytest.mark.parametrize("size", [1, 8, 31, 33, 80])
def test_a_digest_of_another_size_is_malformed(witness, size):
    assert word_of(witness, bytes(size)) is None

    assert witness.counters()["frames_malformed"] == 1


@pytest.mark.requirement("SR-18")
def test_a_witness_computes_one_tag_a_tick_and_says_so(witness, key):
    nonce = witness.challenge(0)
    asking = [independent.frame(independent.ASK_WITNESS, i, d) for i, d in enumerate(DIGESTS)]
    witness.feed(*asking, independent.heartbeat(key, 9, nonce))

    ticks = [witness.receive(1) for _ in range(40)]

    assert max(tick["tags"] for tick in ticks) == 1
    assert sum(tick["tags"] for tick in ticks) == 5
    assert [counts(tick) for tick in ticks].count(True) == 1
    witness.take(independent.frame(independent.ASK_WITNESS, 1, bytes(32)))
    assert witness.ask("witness")[2]
    witness.take(independent.frame(independent.ASK_WITNESS, 1, bytes(32)))
    assert not witness.ask("witness")[2]


# --- Bounds of one tick ----------------------------------------------------------------------


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_a_tick_takes_at_most_16_bytes_and_leaves_the_rest(controller, size):
    controller.ask("feed", (b"x" * size).hex())

    tick = controller.receive()

    assert tick["bytes"] == min(size, BYTES_PER_TICK)
    assert tick["left"] == max(0, size - BYTES_PER_TICK)


@pytest.mark.requirement("SR-18")
def test_a_tick_decodes_at_most_one_line_and_none_is_lost(controller):
    line = independent.frame(independent.STANDSTILL, 1, b"")
    controller.feed(*[line] * 6)

    ticks = [controller.receive() for _ in range(20)]

    assert max(tick["decoded"] for tick in ticks) == 1
    assert [tick["request"] for tick in ticks].count(decide.STANDSTILL) == 6


@pytest.mark.requirement("SR-18")
def test_lines_too_short_for_a_frame_are_counted_but_not_decoded(controller):
    controller.feed(b"x", b"x" * 11, b"x" * 12)

    ticks = [controller.receive() for _ in range(10)]

    assert sum(tick["decoded"] for tick in ticks) == 1
    assert controller.counters()["frames_malformed"] == 3


@pytest.mark.requirement("SR-18")
def test_a_line_too_long_is_counted_and_costs_no_good_frame(controller):
    controller.feed(b"A" * 5000)
    while controller.receive()["left"]:
        pass

    tick = controller.take(independent.frame(independent.STOP, 1, b"\x00"))

    assert controller.counters()["frames_malformed"] == 1
    assert tick["request"] == decide.STOP_CATEGORY_0


@pytest.mark.requirement("SR-18")
def test_a_tag_is_computed_only_for_a_live_challenge(controller, key):
    nonce = controller.challenge(0)

    stale = controller.take(independent.heartbeat(key, 1, bytes(8)))
    live = controller.take(independent.heartbeat(key, 1, nonce))
    replayed = controller.take(independent.heartbeat(key, 1, nonce))

    assert [tick["tags"] for tick in (stale, live, replayed)] == [0, 1, 0]


@pytest.mark.requirement("SR-18")
def test_without_a_key_no_tag_is_computed(keyless, key):
    nonce = keyless.challenge(0)

    assert keyless.take(independent.heartbeat(key, 1, nonce))["tags"] == 0


def floods(key: bytes) -> dict[str, bytes]:
    """What a host gone mad may send, without end."""
    noise = random.Random(3)
    stop = independent.frame(independent.STOP, 1, b"\x00")
    return {
        "noise": noise.randbytes(4000),
        "newlines": b"\n" * 4000,
        "one line without end": b"A" * 4000,
        "short lines": b"AAAA\n" * 800,
        "stops": (stop + b"\n") * 300,
        "stale heartbeats": b"".join(
            independent.heartbeat(key, i, noise.randbytes(8)) + b"\n" for i in range(90)
        ),
        "interrupts": b"\x03\x04\x01\x02" * 1000,
        "longest frames": b"".join(
            independent.frame(independent.STOP, i, noise.randbytes(88)) + b"\n" for i in range(30)
        ),
        "digests to sign": b"".join(
            independent.frame(independent.ASK_WITNESS, i, noise.randbytes(32)) + b"\n"
            for i in range(60)
        ),
        "mixed": b"".join(
            noise.choice([stop + b"\n", noise.randbytes(30), b"\n", b"A" * 200])
            for _ in range(100)
        ),
    }


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("flood", floods(bytes(32)))
def test_no_flood_exceeds_the_bounds_of_a_tick_or_keeps_memory(witness, key, flood):
    stream = floods(key)[flood]

    worst = witness.ask("flood", stream.hex(), 2000)

    assert worst["bytes"] == BYTES_PER_TICK or b"\n" in stream
    assert worst["bytes"] <= BYTES_PER_TICK
    assert worst["decoded"] <= 1
    assert worst["tags"] <= 1
    assert worst["grown"] <= 0


@pytest.mark.requirement("SR-18")
def test_after_any_flood_a_heartbeat_and_a_stop_still_count(witness, key):
    controller = witness
    for stream in floods(key).values():
        controller.ask("feed", stream.hex())
        while controller.receive()["left"]:
            pass
        nonce = controller.challenge(0)

        assert counts(controller.take(independent.heartbeat(key, 1, nonce), 1))
        stop = controller.take(independent.frame(independent.STOP, 1, b"\x00"))
        assert stop["request"] == decide.STOP_CATEGORY_0


@pytest.mark.requirement("SR-18")
def test_counters_wrap_at_16_bits(controller):
    controller.ask("flood", (b"AAAA\n" * 800).hex(), 8000)

    assert 0 <= controller.counters()["frames_malformed"] <= 0xFFFF


def test_the_reasons_for_a_refusal_have_their_places():
    assert (wire.REFUSAL_STALE, wire.REFUSAL_FORGED, wire.REFUSAL_NO_KEY) == (1, 2, 3)
    assert len(wire.REFUSALS) == 4
