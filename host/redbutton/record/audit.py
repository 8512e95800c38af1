"""Verifying a log: which entry is the first that is not what was written, and why (pure).

What each key proves:

- none: that the entries follow on each other and that checkpoints in the log are its own. Whoever
  rewrites all of it passes this.
- the escrow (first key): that each entry was made when its key was still there, so by whoever
  had the computer then; and that none is missing at the end, as the key of the next one is there.
- the controller's witness key: that each checkpoint it signed is in the log, none is left out
  since its power-up, and none was made over another past.
- a witness's copy of a checkpoint: that the log up to there is the same as it was then.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from redbutton.errors import RecordWrong
from redbutton.record import checkpoint, entry
from redbutton.record.checkpoint import Checkpoint, Signed, Statement
from redbutton.record.entry import Body, EntryWrong, Place
from redbutton.record.tree import Frontier, leaf_hash

STEP = 512  # entries between two calls of `progress`


class Line(NamedTuple):
    """A line as it was read, with the place where."""

    where: str
    text: bytes


class Keys(NamedTuple):
    """What a verifier holds; None for what he does not."""

    first: bytes | None = None
    public: bytes | None = None
    witness: bytes | None = None


class End(NamedTuple):
    """What is said of a log's end. `key`: of the next entry (a folder tells it), or `mac`: see
    entry.end_mac (a file tells that)."""

    size: int
    root: bytes | None = None
    key: bytes | None = None
    mac: bytes | None = None


@dataclass
class Report:
    """What was found. `faults`: the first thing wrong in the order of the log, then what is wrong
    with checkpoints and the end. `bad`: the entry of the first fault. `witnessed`: so many entries
    are under a checkpoint that the controller signed."""

    entries: int = 0
    root: str = ""
    bad: int | None = None
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    checkpoints: int = 0
    witnessed: int = 0

    def fault(self, text: str, sequence: int | None = None) -> None:
        """One more."""
        if self.bad is None:
            self.bad = sequence
        self.faults.append(text)


class Audit:
    """Takes a log line by line."""

    def __init__(
        self, origin: str, keys: Keys, copies: Sequence[Signed] = (), end: End | None = None
    ) -> None:
        """`copies`: checkpoints as witnesses keep them. `end`: what is said of the log's end."""
        self.report = Report()
        self._origin = origin
        self._keys = keys
        self._copies = copies
        self._end = end
        self._place = entry.first_place(keys.first or bytes(entry.KEY_SIZE))
        self._tree = Frontier()
        self._wanted = {copy.checkpoint.size for copy in copies} | {end.size if end else 0}
        self._roots: dict[int, bytes] = {0: self._tree.root()}
        self._places: dict[int, Place] = {0: self._place}
        self._made: dict[bytes, Checkpoint] = {}
        self._said: list[tuple[int, Statement]] = []
        self._reset_junk()

    def _reset_junk(self) -> None:
        self._junk = hashlib.sha256()
        self._junk_size = 0
        self._doubt: tuple[str, str] | None = None

    # --- entries

    def take(self, line: Line) -> bool:
        """One more line; whether it is an entry of the log."""
        try:
            body = self._checked(line.text)
            said = entry.decode(body)
            if self._junk_size and not self._explained(said):
                raise EntryWrong("follows on bytes that are no entry, and does not say so")
        except EntryWrong as error:
            if self._doubt is None:
                self._doubt = (line.where, str(error))
            self._junk.update(line.text)
            self._junk_size += len(line.text)
            return False
        if self._junk_size:
            self.report.remarks.append(
                f"{self._doubt[0] if self._doubt else line.where}: {self._junk_size} bytes that a "
                f"crash left; entry {said.sequence} says so"
            )
            self._reset_junk()
        self._look_at(said)
        self._place = self._place.after(body)
        self._tree.append(leaf_hash(body))
        if self._place.size in self._wanted:
            self._roots[self._place.size] = self._tree.root()
            self._places[self._place.size] = self._place
        return True

    def _checked(self, text: bytes) -> bytes:
        body, code = entry.split(text)
        said = entry.decode(body)
        due = self._place.size + 1
        if said.sequence > due:
            raise EntryWrong(f"is missing: entry {said.sequence} stands in its place")
        if said.sequence < due:
            raise EntryWrong(f"is not here: entry {said.sequence} stands here again")
        if said.previous != self._place.previous:
            raise EntryWrong(f"does not follow on entry {due - 1} as it stands here")
        if self._keys.first is not None and not hmac.compare_digest(
            code, entry.mac(self._place.key, body)
        ):
            raise EntryWrong("was changed, or made later: its MAC is wrong")
        return body

    def _explained(self, said: Body) -> bool:
        fields = {"bytes": self._junk_size, "sha256": self._junk.hexdigest()}
        return said.kind == entry.REPAIRED and said.fields.items() >= fields.items()

    def _look_at(self, said: Body) -> None:
        if said.kind == "checkpoint":
            self._take_checkpoint(said)
        elif said.kind == "witnessed":
            self._take_statement(said)
        elif said.kind == "lost":
            self.report.remarks.append(
                f"entry {said.sequence}: {said.fields.get('count')} entries were lost before it"
            )
        elif said.kind == entry.REPAIRED and "missing_bytes" in said.fields:
            self.report.remarks.append(
                f"entry {said.sequence}: {said.fields['missing_bytes']} bytes were missing"
            )

    # --- checkpoints

    def _take_checkpoint(self, said: Body) -> None:
        name = f"checkpoint in entry {said.sequence}"
        try:
            signed = checkpoint.read(str(said.fields.get("note")), name)
        except RecordWrong as error:
            self.report.fault(str(error), said.sequence)
            return
        made = signed.checkpoint
        if (made.size, made.origin) != (self._place.size, self._origin):
            self.report.fault(f"{name} is of another log or another size", said.sequence)
        elif made.root != self._tree.root():
            self.report.fault(f"{name} has another root than the entries", said.sequence)
        elif self._keys.public is not None and not signed.signed_by(self._keys.public):
            self.report.fault(f"{name} is not signed by this log", said.sequence)
        else:
            self.report.checkpoints += 1
            self._made[made.digest] = made

    def _take_statement(self, said: Body) -> None:
        name = f"the controller's signature in entry {said.sequence}"
        statement = _statement(said.fields.get("statement"))
        if statement is None:
            self.report.fault(f"{name} is none", said.sequence)
        elif self._keys.witness is not None and not statement.authentic(self._keys.witness):
            self.report.fault(f"{name} was not made by the controller", said.sequence)
        elif statement.digest not in self._made:
            self.report.fault(f"{name} is of a checkpoint of another past", said.sequence)
        else:
            self._said.append((said.sequence, statement))

    # --- the end

    def finish(self) -> Report:
        """After the last line: the whole report."""
        report = self.report
        report.entries = self._place.size
        report.root = self._tree.root().hex()
        self._finish_junk()
        self._finish_end()
        self._finish_statements()
        for copy in self._copies:
            self._finish_copy(copy)
        for missing, what in (
            (self._keys.first, "the MACs were not checked: no escrow was named"),
            (self._keys.public, "the log's signatures were not checked: no public key was named"),
            (self._keys.witness, "the controller's signatures were not checked: no witness key"),
        ):
            if missing is None:
                report.remarks.append(what)
        return report

    def _finish_junk(self) -> None:
        """Bytes at the end that are no entry. A crash leaves some after the end that is told."""
        if self._doubt is None:
            return
        where, why = self._doubt
        due = self._place.size + 1
        if self._end is not None and self._end.key is not None and due > self._end.size:
            self.report.remarks.append(
                f"{where}: {self._junk_size} bytes at the end are no entry: not acknowledged"
            )
        else:
            self.report.faults.insert(0, f"entry {due} ({where}) {why}")
            self.report.bad = min(due, self.report.bad or due)

    def _finish_end(self) -> None:
        """Whether there are as many entries as there were."""
        end, report = self._end, self.report
        if end is None:
            report.remarks.append("whether entries are missing at the end cannot be seen here")
            return
        if end.size > report.entries:
            if not report.faults:
                report.fault(
                    f"entries {report.entries + 1} to {end.size} are missing at the end",
                    report.entries + 1,
                )
            return
        place = self._places[end.size]
        right = end.root is None or end.root == self._roots[end.size]
        if self._keys.first is not None:
            if end.key is not None:
                right &= hmac.compare_digest(end.key, place.key)
            if end.mac is not None:
                code = entry.end_mac(place.key, end.size, self._roots[end.size])
                right &= hmac.compare_digest(end.mac, code)
            right &= end.key is not None or end.mac is not None
        if not right:
            report.fault(
                f"what is said of the end, {end.size} entries, does not fit: entries after it are "
                "missing, or it is of another log"
            )
        elif end.mac is not None and end.size != report.entries:
            report.fault(f"there are entries after the end, {end.size}", end.size + 1)

    def _finish_statements(self) -> None:
        """All that the controller signed since a power-up is here, in the order of its counter."""
        report = self.report
        if self._keys.witness is None:
            return
        by_power_up: dict[tuple[int, int], dict[int, tuple[int, Statement]]] = {}
        last = -1
        for sequence, statement in self._said:
            power_up = (statement.boot, statement.power_up)
            known = by_power_up.setdefault(power_up, {})
            if known.setdefault(statement.counter, (sequence, statement))[1].digest != (
                statement.digest
            ):
                report.fault(
                    f"the controller's count {statement.counter} stands under two checkpoints",
                    sequence,
                )
            size = self._made[statement.digest].size
            if size < last:
                report.fault(
                    f"the controller's signature in entry {sequence} is of an older checkpoint",
                    sequence,
                )
            last = size
        for (boot, _), known in by_power_up.items():
            missing = sorted(set(range(1, max(known) + 1)) - set(known))
            if missing:
                report.fault(
                    f"of the checkpoints that the controller signed in its power-up {boot}, "
                    f"{len(missing)} are missing here (the first: its number {missing[0]}): it "
                    "has signed another past, or the log was changed"
                )
        report.witnessed = max(
            (self._made[statement.digest].size for _, statement in self._said), default=0
        )

    def _finish_copy(self, copy: Signed) -> None:
        """A witness's copy: the log must be what it was then."""
        made, report = copy.checkpoint, self.report
        name = f"the witness's checkpoint of {made.size} entries"
        trusted = [self._keys.public is not None and copy.signed_by(self._keys.public)]
        for statement in copy.statements():
            key = self._keys.witness
            right = statement.digest == made.digest
            trusted.append(right and key is not None and statement.authentic(key))
        if made.origin != self._origin:
            report.fault(f"{name} is of another log, {made.origin}")
        elif (self._keys.public or self._keys.witness) and not any(trusted):
            report.fault(f"{name} is signed neither by this log nor by its controller")
        elif made.size > report.entries:
            report.fault(
                f"{name} is ahead: entries {report.entries + 1} to {made.size} are missing here",
                report.entries + 1,
            )
        elif self._roots[made.size] != made.root:
            report.fault(f"{name} has another root: the past before it was changed")
        else:
            report.remarks.append(f"entries 1 to {made.size} are as the witness knows them")


def _statement(text: object) -> Statement | None:
    try:
        return Statement.of(bytes.fromhex(str(text)))
    except ValueError:
        return None


def audit(
    origin: str,
    lines: Iterable[Line],
    keys: Keys,
    copies: Sequence[Signed] = (),
    end: End | None = None,
    progress: Callable[[int], None] = lambda size: None,
) -> Report:
    """The whole report on a log. `progress` is told now and then how many entries are done."""
    work = Audit(origin, keys, copies, end)
    for count, line in enumerate(lines):
        work.take(line)
        if count % STEP == 0:
            progress(count)
    return work.finish()
