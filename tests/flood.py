"""Floods for the link: random frames and garbage, from a seed."""

import random
from collections.abc import Iterator

from redbutton.firmware import wire

# Every kind that is no stop: of a stop one would be enough.
KINDS = (
    wire.ASK_HELLO,
    wire.HEARTBEAT,
    wire.STANDSTILL,
    wire.HELLO,
    wire.STATUS,
    0x00,
    0x42,
    0xFF,
)
HEARTBEAT_LINE = 46  # bytes of a heartbeat with both newlines


def random_frame(source: random.Random) -> bytes:
    """A well-formed frame with nonsense in it, no longer than a heartbeat."""
    kind = source.choice(KINDS)
    size = 24 if kind == wire.HEARTBEAT else source.randrange(24)
    return wire.encode(kind, source.randrange(0x10000), source.randbytes(size))


def random_garbage(source: random.Random, size: int = HEARTBEAT_LINE) -> bytes:
    """Random bytes, now and then with a newline, never with a frame."""
    return source.randbytes(size)


def endless(seed: int) -> Iterator[bytes]:
    """Frames and garbage, half of each."""
    source = random.Random(seed)
    while True:
        yield random_frame(source)
        yield random_garbage(source)
