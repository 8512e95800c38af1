"""Frames: one format, the same in CPython, in MicroPython and in an implementation apart."""

import hashlib
import hmac
import importlib.util
import json
import random
import re
import struct
import sys
from pathlib import Path

import chip
import independent
import make_vectors
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redbutton.firmware import decide, wire

KEY = bytes(range(32))
VECTORS = json.loads(make_vectors.VECTORS.read_text())
NONCE = bytes.fromhex("00010203040a0d1b")
GOOD = independent.heartbeat(KEY, 9, NONCE)
LAYOUTS = {
    wire.HELLO: (wire.HELLO_LAYOUT, wire.HELLO_FIELDS),
    wire.STATUS: (wire.STATUS_LAYOUT, wire.STATUS_FIELDS),
    wire.EVENT: (wire.EVENT_LAYOUT, wire.EVENT_FIELDS),
    wire.JOURNAL: (wire.JOURNAL_LAYOUT, wire.JOURNAL_FIELDS),
    wire.ATTEST: (wire.ATTEST_LAYOUT, wire.ATTEST_FIELDS),
    wire.HEARTBEAT: (wire.HEARTBEAT_LAYOUT, ("nonce", "tag")),
    wire.STOP: (wire.STOP_LAYOUT, ("category",)),
    wire.ASK_HELLO: (">", ()),
    wire.STANDSTILL: (">", ()),
    wire.ASK_JOURNAL: (wire.ASK_JOURNAL_LAYOUT, ("sequence",)),
    wire.ASK_ATTEST: (f">{wire.NONCE_SIZE}s", ("nonce",)),
    wire.WITNESS: (wire.WITNESS_LAYOUT, wire.WITNESS_FIELDS),
    wire.ASK_WITNESS: (f">{wire.DIGEST_SIZE}s", ("digest",)),
}
FRAMES = [
    vector for name in ("frames", "attestation", "journal", "witness") for vector in VECTORS[name]
]
WITNESSES = [v for v in VECTORS["witness"] if "key" in v]
HEARTBEATS = [v for v in VECTORS["frames"] if "key" in v]
ATTESTATIONS = [v for v in VECTORS["attestation"] if "key" in v]


def by_name(layout: str, names: tuple[str, ...], packed: bytes) -> "dict[str, int | str]":
    """The fields as the vectors have them: bytes in hexadecimal."""
    values = [v.hex() if isinstance(v, bytes) else v for v in struct.unpack(layout, packed)]
    return dict(zip(names, values, strict=True))


def read(stream: bytes) -> list[bytes]:
    """The lines that LineReader cuts from a stream; b"" for one too long."""
    reader = wire.LineReader()
    return [line for byte in stream if (line := reader.push(byte)) is not None]


def frames(stream: bytes) -> list[tuple[int, int, int, bytes]]:
    """The frames that the wire module finds in a stream."""
    return [found for line in read(stream) if (found := wire.decode(line)) is not None]


def heartbeats(stream: bytes) -> list[tuple[int, int, int, bytes]]:
    """The frames in a stream that would prove the host alive to whoever holds KEY."""
    signer = wire.Signer(KEY)
    return [
        (version, kind, sequence, payload)
        for version, kind, sequence, payload in frames(stream)
        if version == wire.VERSION and kind == wire.HEARTBEAT
        if signer.authentic(sequence, payload)
    ]


# --- Vectors ---------------------------------------------------------------------------------


def test_the_vectors_are_what_their_script_writes():
    assert make_vectors.VECTORS.read_text() == make_vectors.text()


@pytest.mark.parametrize("module", [independent, make_vectors])
def test_the_vectors_are_made_without_redbutton(module):
    imports = re.findall(r"^\s*(?:import|from) ([\w.]+)", Path(module.__file__).read_text(), re.M)

    own = {"independent"}
    assert imports
    assert set(imports) - own <= set(sys.stdlib_module_names)


def test_the_vectors_hold_every_kind_and_no_malformed_line_that_is_a_frame():
    assert {vector["kind"] for vector in FRAMES} == set(independent.FIELDS)
    for vector in VECTORS["malformed"]:
        assert independent.unframe(bytes.fromhex(vector["line"])) is None, vector["reason"]


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("vector", FRAMES, ids=lambda v: f"{v['kind']}-{v['line'][-9:]}")
def test_each_vector_is_written_and_read_alike(vector):
    kind, sequence = vector["kind"], vector["sequence"]
    payload, line = bytes.fromhex(vector["payload"]), vector["line"].encode()

    assert wire.encode(kind, sequence, payload) == b"\n" + line + b"\n"
    assert wire.decode(line) == (1, kind, sequence, payload)

    assert (by_name(*LAYOUTS[kind], payload) if payload else {}) == vector["fields"]


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("vector", HEARTBEATS, ids=lambda v: f"{v['key'][:4]}-{v['sequence']}")
def test_each_heartbeat_vector_is_signed_and_checked_alike(vector):
    key, payload = bytes.fromhex(vector["key"]), bytes.fromhex(vector["payload"])
    signer = wire.Signer(key)

    line = signer.heartbeat(vector["sequence"], payload[:8])

    assert line == b"\n" + vector["line"].encode() + b"\n"
    assert signer.authentic(vector["sequence"], payload)
    assert wire.key_id(key).hex() == vector["key_id"]


@pytest.mark.requirement("SR-23")
@pytest.mark.parametrize("vector", ATTESTATIONS, ids=lambda v: f"{v['key'][:4]}-{v['line'][-9:]}")
def test_each_attestation_vector_is_signed_and_checked_alike(vector):
    signer = wire.Signer(bytes.fromhex(vector["key"]))
    fields, payload = vector["fields"], bytes.fromhex(vector["payload"])
    statement = struct.pack(
        wire.STATEMENT_LAYOUT,
        bytes.fromhex(fields["firmware"]),
        fields["heartbeat_timeout"],
        fields["stop_delay"],
        bytes.fromhex(fields["name"]),
    )

    assert signer.attestation(bytes.fromhex(fields["nonce"]) + statement) == payload
    assert signer.attested(payload)


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize("vector", WITNESSES, ids=lambda v: f"{v['key'][:4]}-{v['line'][-9:]}")
def test_each_word_of_a_witness_is_signed_and_checked_alike(vector):
    signer = wire.Signer(bytes.fromhex(vector["key"]))
    fields, payload = vector["fields"], bytes.fromhex(vector["payload"])
    body = struct.pack(
        wire.WITNESS_BODY_LAYOUT,
        bytes.fromhex(fields["digest"]),
        *(fields[name] for name in wire.WITNESS_FIELDS[1:-1]),
    )

    assert signer.witness(body) == payload
    assert signer.witnessed(payload)


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize(
    "vector", VECTORS["entries"], ids=lambda v: f"{v['key'][:4]}-{v['fields']['boot']}"
)
def test_each_entry_of_the_journal_is_laid_out_and_signed_alike(vector):
    key, entry = bytes.fromhex(vector["key"]), bytes.fromhex(vector["entry"])

    assert by_name(wire.ENTRY_LAYOUT, wire.ENTRY_FIELDS, entry) == vector["fields"]
    assert wire.journal_signer(key).mac(entry)[: wire.TAG_SIZE].hex() == vector["tag"]


@pytest.mark.requirement("SR-17")
def test_no_malformed_vector_is_read_as_a_frame():
    for vector in VECTORS["malformed"]:
        assert wire.decode(bytes.fromhex(vector["line"])) is None, vector["reason"]


@pytest.mark.requirement("SR-17")
def test_micropython_agrees_with_every_vector_of_a_controller_that_runs():
    total = len(VECTORS["frames"]) + len(VECTORS["malformed"])
    assert chip.run("chip_wire.py", "vectors", str(make_vectors.VECTORS)) == f"OK {total}\n"


@pytest.mark.requirement("SR-22", "SR-23")
def test_micropython_reads_every_vector_of_attestation_journal_and_witness_alike():
    vectors = VECTORS["attestation"] + VECTORS["journal"] + VECTORS["witness"]

    printed = chip.run(
        "chip_wire.py", "decode", given="".join(v["line"].encode().hex() + "\n" for v in vectors)
    )

    assert printed.splitlines() == [
        str((1, vector["kind"], vector["sequence"], vector["payload"])) for vector in vectors
    ]


def test_the_longest_frame_of_each_kind_fits_a_line():
    more = {wire.JOURNAL: struct.calcsize(wire.ENTRY_LAYOUT) + wire.TAG_SIZE}
    for kind, (layout, _) in LAYOUTS.items():
        longest = bytes(struct.calcsize(layout) + more.get(kind, 0))
        assert len(wire.encode(kind, 0, longest)) - 2 <= 128, kind


def test_no_frame_holds_the_byte_that_micropython_takes_for_an_interrupt():
    for first in range(256):
        assert b"\x03" not in wire.encode(first, 0x0303, bytes([3, first] * 20))


# --- Numbers and texts that both ends know ---------------------------------------------------


def test_the_parts_of_a_payload_have_the_sizes_that_the_layouts_give_them():
    sizes = (wire.KEY_SIZE, wire.DIGEST_SIZE, wire.NONCE_SIZE, wire.TAG_SIZE, wire.NAME_SIZE)
    assert sizes == (32, 32, 8, 16, 24)


@pytest.mark.requirement("SR-17")
def test_each_refusal_of_a_heartbeat_has_its_number_and_says_why():
    numbers = (
        wire.REFUSAL_NONE,
        wire.REFUSAL_STALE,
        wire.REFUSAL_FORGED,
        wire.REFUSAL_NO_KEY,
    )
    assert numbers == (0, 1, 2, 3)
    assert wire.REFUSALS == (
        "none",
        "its challenge is not live: too old, answered before, or never made",
        "its tag is not made with the controller's key",
        "the controller has no key",
    )


@pytest.mark.requirement("SR-22")
def test_a_journal_that_fails_is_told_in_a_bit_that_is_no_input():
    assert wire.JOURNAL_FAILS == 0x8000
    assert 1 << len(decide.INPUT_NAMES) <= wire.JOURNAL_FAILS


@pytest.mark.requirement("SR-22")
def test_power_up_and_lost_entries_are_written_with_a_zero_which_is_no_state():
    assert (wire.POWERED_UP, wire.LOST) == (0, 0)
    assert 0 not in decide.STATE_NAMES


# --- The tag ---------------------------------------------------------------------------------


@pytest.mark.requirement("SR-17")
@settings(deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 0xFFFF),
    st.binary(min_size=8, max_size=8),
)
@example(b"\x0b" * 32, 0, b"Hi There")  # in the manner of RFC 4231
@example(b"\xaa" * 32, 0xDDDD, b"\xdd" * 8)
@example(bytes(32), 0, bytes(8))
def test_the_tag_is_the_first_half_of_the_standard_librarys_hmac(key, sequence, nonce):
    message = b"\x01\x12" + struct.pack(">H", sequence) + nonce

    made = wire.Signer(key).tag(sequence, nonce)

    assert made == hmac.new(key, message, hashlib.sha256).digest()[:16]


@pytest.mark.requirement("SR-17")
def test_micropython_makes_the_same_tags():
    noise = random.Random(1)
    asked = [
        (noise.randbytes(32), noise.randrange(0x10000), noise.randbytes(8)) for _ in range(500)
    ]

    printed = chip.run(
        "chip_wire.py",
        "tag",
        given="".join(f"{key.hex()} {seq} {nonce.hex()}\n" for key, seq, nonce in asked),
    )

    assert printed.split() == [independent.tag(*question).hex() for question in asked]


@pytest.mark.requirement("SR-17")
def test_a_tag_with_any_bit_flipped_is_not_authentic():
    signer = wire.Signer(KEY)
    payload = NONCE + signer.tag(9, NONCE)
    assert signer.authentic(9, payload)

    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not signer.authentic(9, bytes(flipped)), bit


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("size", range(48))
def test_a_payload_of_another_size_is_not_authentic(size):
    payload = (NONCE + wire.Signer(KEY).tag(9, NONCE) + bytes(24))[:size]

    assert wire.Signer(KEY).authentic(9, payload) == (size == 24)


@pytest.mark.requirement("SR-17")
def test_a_tag_of_another_sequence_or_another_key_is_not_authentic():
    payload = NONCE + wire.Signer(KEY).tag(9, NONCE)

    for bit in range(16):
        assert not wire.Signer(KEY).authentic(9 ^ 1 << bit, payload)
    for bit in range(256):
        other = (int.from_bytes(KEY, "big") ^ 1 << bit).to_bytes(32, "big")
        assert not wire.Signer(other).authentic(9, payload)


@pytest.mark.requirement("SR-23")
def test_an_attestation_that_was_changed_or_comes_under_another_key_is_not_attested():
    payload = bytes.fromhex(ATTESTATIONS[-1]["payload"])
    signer = wire.Signer(bytes.fromhex(ATTESTATIONS[-1]["key"]))
    assert signer.attested(payload)

    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not signer.attested(bytes(flipped))
    for size in range(len(payload)):
        assert not signer.attested(payload[:size])
    assert not wire.Signer(KEY).attested(payload)


@pytest.mark.requirement("SR-22")
def test_a_witness_whose_word_was_changed_or_comes_under_another_key_is_no_witness():
    payload = bytes.fromhex(WITNESSES[-1]["payload"])
    signer = wire.Signer(bytes.fromhex(WITNESSES[-1]["key"]))
    assert signer.witnessed(payload)

    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not signer.witnessed(bytes(flipped))
    for size in range(len(payload)):
        assert not signer.witnessed(payload[:size])
    assert not wire.Signer(KEY).witnessed(payload)
    attested = bytes.fromhex(ATTESTATIONS[-1]["payload"])
    assert not wire.Signer(bytes.fromhex(ATTESTATIONS[-1]["key"])).witnessed(attested)


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("size", [0, 1, 16, 31, 33, 64])
def test_a_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="32 bytes"):
        wire.Signer(bytes(size))


def test_the_id_of_a_key_tells_keys_apart_and_is_part_of_none():
    ids = {wire.key_id(bytes([i]) * 32) for i in range(256)}

    assert len(ids) == 256
    assert wire.key_id(KEY) == independent.key_id(KEY)
    assert wire.key_id(KEY) not in KEY


# --- Lines -----------------------------------------------------------------------------------


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("size", [1, 2, 127, 128])
def test_a_line_of_up_to_128_characters_is_read_whole(size):
    assert read(b"x" * size + b"\n") == [b"x" * size]


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("size", [129, 130, 255, 256, 257, 65536, 100000])
def test_a_line_that_is_too_long_is_reported_and_does_not_cost_the_next(size):
    assert read(b"x" * size + b"\nnext\n") == [b"", b"next"]


def test_empty_lines_are_none():
    assert read(b"\n\n\nline\n\n") == [b"line"]


def test_a_line_is_not_reported_before_its_end():
    assert read(GOOD) == []


@pytest.mark.requirement("SR-18")
def test_a_reader_keeps_no_more_memory_for_a_longer_line():
    reader = wire.LineReader()
    for _ in range(1000):
        reader.push(0x41)
    before = sys.getsizeof(reader._line)

    for _ in range(10000):
        reader.push(0x41)

    assert sys.getsizeof(reader._line) == before
    assert reader._length <= 129


def test_a_line_read_does_not_change_when_the_next_is():
    one, other = read(b"one\nother\n")

    assert (one, other) == (b"one", b"other")


# --- Properties ------------------------------------------------------------------------------

PIECE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([GOOD, b"\n" + GOOD + b"\n", b"\n", b"=", b"\r\n", b"\x03", b"\x00"]),
    st.builds(
        wire.encode,
        st.integers(0, 255),
        st.integers(0, 0xFFFF),
        st.binary(max_size=100),
        st.integers(0, 255),
    ),
    st.text("ABCDwxyz0189+/=\n", max_size=150).map(str.encode),
)
STREAM = st.lists(PIECE, max_size=8).map(b"".join)


@pytest.mark.requirement("SR-17", "SR-18")
@settings(max_examples=300, deadline=None)
@given(STREAM)
def test_any_bytes_yield_exactly_the_frames_that_the_independent_decoder_finds(stream):
    assert frames(stream) == independent.frames(stream)


@pytest.mark.requirement("SR-17", "SR-18")
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_decoding_any_bytes_as_one_line_never_raises_and_agrees(line):
    assert wire.decode(line) == independent.unframe(line)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.binary(max_size=88),
    st.integers(0, 255),
)
def test_what_is_written_is_read(kind, sequence, payload, version):
    line = wire.encode(kind, sequence, payload, version)

    assert frames(line) == [(version, kind, sequence, payload)]


@pytest.mark.requirement("SR-17", "SR-18")
@settings(max_examples=200, deadline=None)
@given(before=STREAM, after=STREAM)
def test_garbage_never_costs_the_next_good_frame(before, after):
    good, last = wire.encode(wire.STOP, 1, b"\x00"), wire.encode(wire.STOP, 2, b"\x00")

    found = frames(before + good + after + last)

    assert found[-1] == (1, wire.STOP, 2, b"\x00")
    assert (1, wire.STOP, 1, b"\x00") in found


# --- Corruption: exhaustive over one heartbeat -----------------------------------------------


def flips():
    for bit in range(8 * len(GOOD)):
        flipped = bytearray(GOOD)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def replacements():
    for at in range(len(GOOD)):
        for byte in range(256):
            if byte != GOOD[at]:
                yield GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]


def deletions():
    for start in range(len(GOOD)):
        for end in range(start + 1, len(GOOD) + 1):
            yield GOOD[:start] + GOOD[end:]


def insertions():
    for at in range(len(GOOD) + 1):
        for byte in range(256):
            if byte == 0x0A and at in (0, len(GOOD)):
                continue  # an empty line more: the frame itself is whole
            yield GOOD[:at] + bytes([byte]) + GOOD[at:]


def duplications():
    for start in range(len(GOOD)):
        for end in range(start + 1, len(GOOD) + 1):
            yield GOOD[:end] + GOOD[start:]


def truncations():
    for size in range(len(GOOD)):
        yield GOOD[:size]
        yield GOOD[size + 1 :]


def swaps():
    for at in range(len(GOOD) - 1):
        if GOOD[at] != GOOD[at + 1]:
            yield GOOD[:at] + bytes([GOOD[at + 1], GOOD[at]]) + GOOD[at + 2 :]


def test_the_heartbeat_that_is_corrupted_below_counts_as_it_is():
    assert len(heartbeats(b"\n" + GOOD + b"\n")) == 1


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize(
    "corruptions",
    [flips, replacements, deletions, insertions, duplications, truncations, swaps],
)
def test_a_corrupted_heartbeat_is_no_frame(corruptions):
    for corrupted in corruptions():
        assert frames(b"\n" + corrupted + b"\n") == [], corrupted


@pytest.mark.requirement("SR-17")
def test_a_corrupted_body_under_a_right_crc_is_no_heartbeat():
    _, _, sequence, payload = independent.unframe(GOOD)
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        line = wire.encode(wire.HEARTBEAT, sequence, bytes(flipped))
        assert len(frames(line)) == 1
        assert heartbeats(line) == []


# --- CPython and MicroPython side by side ----------------------------------------------------


def fuzzed_lines(count: int) -> list[bytes]:
    """Frames, frames with a few changes, and noise: the same lines in every run."""
    noise = random.Random(20)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=="
    made = []
    while len(made) < count:
        payload = noise.randbytes(noise.randrange(90))
        line = bytearray(
            independent.frame(
                noise.randrange(256), noise.randrange(0x10000), payload, noise.randrange(256)
            )
        )
        made.append(bytes(line))
        for _ in range(noise.randrange(1, 4)):
            at = noise.randrange(len(line))
            change = noise.randrange(5)
            if change == 0:
                line[at] = noise.choice(alphabet)
            elif change == 1:
                line[at] = noise.randrange(256)
            elif change == 2:
                del line[at]
            elif change == 3:
                line.insert(at, noise.choice(alphabet + b" \r\t\x00\xff"))
            else:
                line[-1] = noise.choice(alphabet)
            made.append(bytes(line))
        made.append(noise.randbytes(noise.randrange(130)))
        made.append(bytes(noise.choice(alphabet) for _ in range(noise.randrange(130))))
    return made


def shown(frame: "tuple[int, int, int, bytes] | None") -> str:
    """As the script in MicroPython prints it."""
    return str(frame and (*frame[:3], frame[3].hex()))


@pytest.mark.requirement("SR-17", "SR-18")
def test_micropython_reads_any_line_as_cpython_and_the_independent_decoder_do():
    lines = fuzzed_lines(8000)

    printed = chip.run(
        "chip_wire.py", "decode", given="".join(line.hex() + "\n" for line in lines)
    ).splitlines()

    here = [wire.decode(line) for line in lines]
    assert here == [independent.unframe(line) for line in lines]
    assert printed == [shown(frame) for frame in here]
    assert 500 < sum(frame is not None for frame in here) < 7500


@pytest.mark.requirement("SR-17", "SR-18")
def test_micropython_cuts_any_stream_into_the_same_lines():
    noise = random.Random(21)
    stream = b"".join(
        line + noise.choice([b"\n", b"\n", b"\n\n", b"", b"\r\n"]) for line in fuzzed_lines(2000)
    )

    printed = chip.run("chip_wire.py", "read", given=stream.hex()).splitlines()

    lines = read(stream)
    assert b"" in lines
    assert printed == [f"{line.hex()} {shown(wire.decode(line))}" for line in lines]


def test_it_needs_no_module_named_micropython(monkeypatch):
    monkeypatch.setitem(sys.modules, "micropython", None)
    spec = importlib.util.spec_from_file_location("bare", wire.__file__)
    bare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare)

    assert [bare.LineReader().push(byte) for byte in b"\n"] == [None]
