"""What can happen to frames on their way, in virtual time and from a seed.

The errors of IEC 61784-3, clause 5.3: corruption, unintended repetition, incorrect sequence, loss,
unacceptable delay, insertion; a port that is unplugged, and one at another baud rate.
"""

import random
from collections import deque

REMEMBERED = 64  # frames that could be repeated
FLOOD_BYTES = 64  # in a millisecond


class Line:
    """One direction. `faults`: what happens, each with its strength; empty: nothing does.

    loss, corruption, duplication, repetition, reordering: permille of the frames. delay: ms.
    flood, unplugged, baud: 1.
    """

    def __init__(self, seed: int, faults: dict[str, int]) -> None:
        self.faults = faults
        self._random = random.Random(seed)
        self._rest = b""
        self._waiting: deque[tuple[int, bytes]] = deque()  # (ms when it is there, frame)
        self._before: deque[bytes] = deque(maxlen=REMEMBERED)

    @property
    def quiet(self) -> bool:
        """Nothing arrives unless something is sent."""
        return not self._waiting and not self.faults.get("flood")

    def carry(self, data: bytes, now_ms: int) -> bytes:
        """What arrives now, of what was sent now and before."""
        if not self.faults and not self._rest and not self._waiting:
            *frames, self._rest = data.split(b"\n")
            self._before.extend(frame + b"\n" for frame in frames)
            whole = data[: len(data) - len(self._rest)]
            return whole
        *frames, self._rest = (self._rest + data).split(b"\n")
        there = now_ms + self.faults.get("delay", 0)
        for frame in frames:
            for sent in self._sent(frame + b"\n"):
                self._waiting.append((there, sent))
        arrived = b""
        while self._waiting and self._waiting[0][0] <= now_ms:
            arrived += self._waiting.popleft()[1]
        if self.faults.get("flood"):
            arrived += self._random.randbytes(FLOOD_BYTES)
        if self.faults.get("baud"):
            arrived = self._random.randbytes(len(arrived))
        return b"" if self.faults.get("unplugged") else arrived

    def _sent(self, frame: bytes) -> list[bytes]:
        """What becomes of a frame."""
        frames = [] if self._happens("loss") else [frame]
        if len(frame) > 1 and frames and self._happens("corruption"):
            bit = self._random.randrange(8 * (len(frame) - 1))
            changed = bytearray(frame)
            changed[bit // 8] ^= 1 << bit % 8
            frames = [bytes(changed)]
        if frames and self._happens("duplication"):
            frames *= 2
        if self._before and self._happens("repetition"):
            frames.append(self._random.choice(self._before))
        if self._waiting and self._happens("reordering"):
            _, last = self._waiting.pop()
            frames.append(last)
        self._before.append(frame)
        return frames

    def _happens(self, what: str) -> bool:
        permille = self.faults.get(what, 0)
        return bool(permille) and self._random.randrange(1000) < permille
