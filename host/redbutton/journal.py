"""The controller's journal as the host reads it: what is in it, what is missing, what is forged.

The controller's frames prove nothing of an entry; its tag does (wire.journal_signer). So whoever
holds the link key checks an entry for himself, through however many hands it came.
"""

import struct
from collections.abc import Iterable

from redbutton.firmware import wire
from redbutton.model import Contacts, Frozen, State, cause_name, cause_names, state_of

_HEAD_SIZE = struct.calcsize(wire.JOURNAL_LAYOUT)
_BODY_SIZE = struct.calcsize(wire.ENTRY_LAYOUT)
_ENTRY_SIZE = _BODY_SIZE + wire.TAG_SIZE


class JournalAnswer(Frozen):
    """What the controller says when asked for an entry, see wire.JOURNAL_FIELDS.

    `entry`: the entry with its tag, in hexadecimal; "" if it is missing, or not made yet.
    """

    asked: int
    oldest: int
    next: int
    unwritten: int
    failures: int
    entry: str = ""


class JournalEntry(Frozen):
    """One entry. A power-up has no `before`; where entries were lost there is no `after` either.

    `number`: of the transition since power-up; where entries were lost, how many. `authentic`:
    None if it was not checked. `stored`: in flash, where it survives a loss of power.
    """

    sequence: int
    boot: int
    power_up: int
    number: int
    uptime_ms: int
    before: State | None
    after: State | None
    cause: str | None
    first_cause: str | None
    causes: tuple[str, ...]
    measured: Contacts
    authentic: bool | None
    stored: bool

    def sentence(self) -> str:
        """What happened."""
        if self.after is None:
            return f"{self.number} entries lost: flash failed"
        if self.before is None:
            return f"started, {self.after.value}"
        return f"{self.before.value} -> {self.after.value}"


def answer_of(payload: bytes) -> JournalAnswer | None:
    """From the payload of a JOURNAL frame; None if it is none."""
    entry = payload[_HEAD_SIZE:]
    if len(payload) < _HEAD_SIZE or len(entry) not in (0, _ENTRY_SIZE):
        return None
    fields = struct.unpack(wire.JOURNAL_LAYOUT, payload[:_HEAD_SIZE])
    return JournalAnswer(
        **dict(zip(wire.JOURNAL_FIELDS, fields, strict=True)),
        entry=entry.hex(),
    )


def entry_of(answer: JournalAnswer, key: bytes | None) -> JournalEntry | None:
    """The entry in an answer, checked under the link key; None if there is none."""
    raw = bytes.fromhex(answer.entry)
    if len(raw) != _ENTRY_SIZE:
        return None
    body, tag = raw[:_BODY_SIZE], raw[_BODY_SIZE:]
    fields = dict(zip(wire.ENTRY_FIELDS, struct.unpack(wire.ENTRY_LAYOUT, body), strict=True))
    powered_up = fields["before"] == wire.POWERED_UP
    authentic = None
    if key is not None:
        authentic = wire.journal_signer(key).mac(body)[: wire.TAG_SIZE] == tag
    return JournalEntry(
        sequence=fields["sequence"],
        boot=fields["boot"],
        power_up=fields["power_up"],
        number=fields["number"],
        uptime_ms=fields["uptime"],
        before=None if powered_up else state_of(fields["before"]),
        after=None if powered_up and fields["after"] == wire.LOST else state_of(fields["after"]),
        cause=cause_name(fields["cause"]),
        first_cause=cause_name(fields["first"]),
        causes=cause_names(fields["causes"]),
        measured=Contacts.from_bits(fields["inputs"]),
        authentic=authentic,
        stored=fields["sequence"] < answer.unwritten,
    )


class Reading:
    """One reading of the journal from an entry on: ask for `sequence`, `take` what is answered.

    `over`: all that there was has been read. Kept: `entries`, the sequences that are `missing`,
    and the `last` answer.
    """

    def __init__(self, since: int, key: bytes | None, key_since: int = 0) -> None:
        """`key`: the link key, or None to check nothing. `key_since`: the first entry under it;
        what is older is under a key that is no more, and not checked."""
        self._key = key
        self._key_since = key_since
        self.sequence = max(1, since)
        self.entries: list[JournalEntry] = []
        self.missing: list[int] = []
        self.last: JournalAnswer | None = None
        self.over = False

    def take(self, answer: JournalAnswer) -> None:
        """An answer; one to another question says nothing."""
        if self.over or answer.asked != self.sequence:
            return
        self.last = answer
        self.sequence = max(self.sequence, answer.oldest)
        if self.sequence >= answer.next:
            self.over = True
            return
        entry = entry_of(answer, self._key if self.sequence >= self._key_since else None)
        if entry is None or entry.sequence != self.sequence:
            self.missing.append(self.sequence)
        else:
            self.entries.append(entry)
        self.sequence += 1

    def faults(self) -> list[str]:
        """What is wrong with the journal, each as one line; empty if nothing is."""
        found = []
        if self.missing:
            found.append(f"missing: {_ranges(self.missing)}")
        forged = [entry.sequence for entry in self.entries if entry.authentic is False]
        if forged:
            found.append(f"not made by this controller under this link key: {_ranges(forged)}")
        if self.last and self.last.failures and self.last.unwritten < self.last.next:
            found.append(
                f"the controller's flash fails ({self.last.failures} times since power-up): "
                f"{_ranges(range(self.last.unwritten, self.last.next))} would not survive a loss "
                "of power"
            )
        return found


def _ranges(sequences: Iterable[int]) -> str:
    """ "entry 3, entries 5 to 7" """
    spans: list[list[int]] = []
    for sequence in sequences:
        if spans and sequence == spans[-1][1] + 1:
            spans[-1][1] = sequence
        else:
            spans.append([sequence, sequence])
    return ", ".join(
        f"entry {first}" if first == last else f"entries {first} to {last}"
        for first, last in spans
    )
