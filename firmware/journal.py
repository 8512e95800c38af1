"""The journal: every power-up and every transition with its cause, over power cycles (SR-22).

The newest entries are in RAM, and only from there they are read out, so that reading never
touches flash. Entries go to flash one by one, when the caller says that time does not matter.

In flash they are in a ring of files, `entries/0` to `entries/7`, each with PER_SEGMENT entries,
oldest first; the file whose turn comes again begins anew. An entry in a file ends with its
CRC-32, which alone says whether it is whole: what a loss of power has torn is passed over, byte
by byte, up to the next whole entry. The tag of an entry is for whoever reads it, see `wire`.

Flash that fails changes nothing but `failures`: the entries stay in RAM, and the next write is
tried when there is a new entry. Entries that the ring has overtaken by then are counted in an
entry of their own.
"""

import binascii
import os
import struct

import wire

FOLDER = "entries"  # a folder named like this module would hide it from import
SEGMENTS = 8
PER_SEGMENT = 16
CAPACITY = SEGMENTS * PER_SEGMENT
BODY_SIZE = struct.calcsize(wire.ENTRY_LAYOUT)
ENTRY_SIZE = BODY_SIZE + wire.TAG_SIZE
RECORD_SIZE = ENTRY_SIZE + wire.CRC_SIZE
FILE_MAX = 2 * PER_SEGMENT * RECORD_SIZE  # no more is read of a file: torn entries take room
SEQUENCE_MAX = 0x3FFFFFFF  # fits a small integer of the chip
COUNTER = 0xFFFF


class Journal:
    """A ring of entries. `unwritten` is the sequence of the first one that is not in flash."""

    def __init__(self, signer: "wire.Signer | None", power_up: int) -> None:
        """Read what is in flash. `signer`: see wire.journal_signer; without one tags are zeros."""
        self._signer = signer
        self._power_up = power_up
        self._ring = bytearray(CAPACITY * ENTRY_SIZE)
        self._next = 1
        self._lost = 0
        self._failed = False
        self.boot = 0
        self.failures = 0
        self.failing = False  # the last write failed
        try:
            os.mkdir(FOLDER)
        except OSError:
            pass  # it is there; if not, no write will work
        for segment in range(SEGMENTS):
            self._load(segment)
        self.boot = (self.boot + 1) & COUNTER
        # The one whose file is appended to; with nothing found, none.
        self._segment = (self._next - 1) // PER_SEGMENT if self._next > 1 else -1
        self._sealed = self._next
        self.unwritten = self._next

    def _load(self, segment: int) -> None:
        """Keep every whole entry of a file."""
        try:
            with open(_name(segment), "rb") as file:
                data = file.read(FILE_MAX)
        except OSError:
            return
        at = 0
        while at <= len(data) - RECORD_SIZE:
            entry = data[at : at + ENTRY_SIZE]
            crc = struct.unpack_from(">I", data, at + ENTRY_SIZE)[0]
            if crc == binascii.crc32(entry) and self._keep(entry):
                at += RECORD_SIZE
            else:
                at += 1

    def _keep(self, entry: bytes) -> bool:
        sequence, boot = struct.unpack_from(">IH", entry, 0)
        if not 0 < sequence < SEQUENCE_MAX:
            return False
        at = _at(sequence)
        if sequence > struct.unpack_from(">I", self._ring, at)[0]:
            self._ring[at : at + ENTRY_SIZE] = entry
        if sequence >= self._next:
            self._next = sequence + 1
            self.boot = boot
        return True

    @property
    def oldest(self) -> int:
        """The oldest entry that the ring can hold: those of a segment go together."""
        segment = (self._next - 1) // PER_SEGMENT - SEGMENTS + 1
        return max(1, segment * PER_SEGMENT)

    @property
    def pending(self) -> bool:
        """Whether there is something to write, and no reason to believe that it would fail."""
        return self.unwritten < self._sealed and not self._failed

    def record(
        self,
        number: int,
        uptime: int,
        before: int,
        after: int,
        cause: int,
        first: int,
        inputs: int,
        causes: int,
    ) -> None:
        """A new entry, in RAM. Fields as in wire.ENTRY_FIELDS."""
        struct.pack_into(
            wire.ENTRY_LAYOUT,
            self._ring,
            _at(self._next),
            self._next,
            self.boot,
            self._power_up,
            number,
            uptime,
            before,
            after,
            cause,
            first,
            inputs,
            causes,
        )
        self._next += 1
        self._failed = False
        overtaken = self.oldest - self.unwritten
        if overtaken > 0:
            self._lost = min(self._lost + overtaken, COUNTER)
            self.unwritten += overtaken
            self._sealed = max(self._sealed, self.unwritten)

    @property
    def unsealed(self) -> bool:
        """Whether there is an entry without its tag."""
        return self._sealed != self._next

    def seal(self) -> None:
        """Make the tag of the first entry that has none: one HMAC."""
        at = _at(self._sealed)
        tag = bytes(wire.TAG_SIZE)
        if self._signer is not None:
            tag = self._signer.mac(bytes(self._ring[at : at + BODY_SIZE]))[: wire.TAG_SIZE]
        self._ring[at + BODY_SIZE : at + ENTRY_SIZE] = tag
        self._sealed += 1

    def write(self, uptime: int) -> None:
        """Put one entry into flash, which may take long."""
        at = _at(self.unwritten)
        entry = bytes(self._ring[at : at + ENTRY_SIZE])
        record = entry + struct.pack(">I", binascii.crc32(entry))
        segment = self.unwritten // PER_SEGMENT
        try:
            # On littlefs either way the file is the old one or the new one, whatever happens.
            with open(_name(segment), "ab" if segment == self._segment else "wb") as file:
                whole = file.write(record) == len(record)
        except (OSError, MemoryError):
            whole = False
        if not whole:
            self.failures = min(self.failures + 1, COUNTER)
            self._failed = True
            self.failing = True
            return
        self.failing = False
        self._segment = segment
        self.unwritten += 1
        if self._lost:
            lost = self._lost
            self._lost = 0
            self.record(lost, uptime, wire.POWERED_UP, wire.LOST, 0xFF, 0xFF, 0, 0)

    def answer(self, asked: int) -> bytes:
        """The payload of a JOURNAL frame."""
        oldest = self.oldest
        head = struct.pack(
            wire.JOURNAL_LAYOUT, asked, oldest, self._sealed, self.unwritten, self.failures
        )
        return head + self._entry(max(asked, oldest))

    def _entry(self, sequence: int) -> bytes:
        at = _at(sequence)
        if sequence >= self._sealed or struct.unpack_from(">I", self._ring, at)[0] != sequence:
            return b""
        return bytes(self._ring[at : at + ENTRY_SIZE])


def _name(segment: int) -> str:
    return f"{FOLDER}/{segment % SEGMENTS}"


def _at(sequence: int) -> int:
    return sequence % CAPACITY * ENTRY_SIZE
