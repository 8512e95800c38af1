"""What goes into the record, and when (SR-22).

The owner of the port tells its events to `Diary.turn`; other parts of the host call `note`, or
`count` for what may come in floods: those are an entry at once, and then one with their number
each second, rarer and rarer up to one a minute while they go on: no flood fills the disk (SR-25).
Without a log all of it does nothing, and `fails` says nothing.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Protocol

from redbutton import attestation
from redbutton.document import Part
from redbutton.firmware import wire
from redbutton.journal import JournalAnswer, entry_of
from redbutton.record.folder import is_log
from redbutton.record.recorder import Recorder
from redbutton.session import Attested, Fault, Hello, Rebooted, Transition, Witnessed

DEFAULT_FOLDER = Path("/var/lib/redbutton/record")
ASK_S = 0.1  # between two questions for entries of the journal
WITNESS_S = 1.0  # between two requests to sign a checkpoint
WITNESS_TRIES = 5  # for each: a controller without a witness key does not answer
COUNT_S, COUNT_MAX_S = 1.0, 60.0
COUNT_NAMES = 64  # counted apart; what comes beyond is counted together


class RecordSection(Part):
    """`folder`: of the log, made by `redbutton log init`; "": nothing is recorded. None: the usual
    one, if a log was made there."""

    folder: str | None = None


class Asks(Protocol):
    """What the diary needs of the owner of the port."""

    def ask_journal(self, sequence: int) -> None: ...
    def ask_witness(self, digest: bytes) -> None: ...


class _Count:
    """How often something came since it was last recorded."""

    def __init__(self) -> None:
        self.count = 0
        self.due = 0.0
        self.pause = COUNT_S
        self.fields: dict[str, Any] = {}


class Diary:
    """The record of one process. `recorder` None: nothing is recorded."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._counts: dict[tuple[str, str], _Count] = {}
        self._board = ""
        self._behind = False  # the controller's journal may have what the log has not
        self._asked = 0  # an entry of the journal
        self._ask_at = 0.0
        self._known: bytes | None = None  # what the controller signed last; None: not known
        self._wanted = b""
        self._tries = 0
        self._witness_at = 0.0

    @property
    def fails(self) -> bool:
        """Whether something that should be recorded is not."""
        return bool(self.problem)

    @property
    def problem(self) -> str:
        """Why, in words."""
        return self._recorder.problem if self._recorder else ""

    @property
    def on(self) -> bool:
        """Whether there is a log."""
        return self._recorder is not None

    def note(self, kind: str, **fields: Any) -> None:
        """Record that something happened. Never waits, never raises."""
        if self._recorder is not None:
            self._recorder.note(kind, **fields)

    def count(self, now: float, kind: str, name: str, **fields: Any) -> None:
        """The same for what may come often; `name` tells apart what is counted apart."""
        if self._recorder is None:
            return
        if (kind, name) not in self._counts and len(self._counts) >= COUNT_NAMES:
            name = "others"
        counted = self._counts.setdefault((kind, name), _Count())
        counted.count += 1
        counted.fields = fields
        if now >= counted.due:
            self._tell_count(kind, name, counted, now)

    def _tell_count(self, kind: str, name: str, counted: _Count, now: float) -> None:
        self.note(kind, name=name, count=counted.count, **counted.fields)
        counted.count = 0
        counted.due = now + counted.pause
        counted.pause = min(2 * counted.pause, COUNT_MAX_S)

    def begin(self, configuration: Path | None = None, **fields: Any) -> None:
        """What this process is: its configuration and what it expects of the controller."""
        self.note(
            "configuration",
            host=digest_of(configuration),
            firmware=attestation.digest(attestation.files()).hex() if self.on else "",
            protocol=wire.VERSION,
            **fields,
        )

    # --- what the owner of the port hears

    def turn(self, asks: Asks, events: Iterable[object], now: float) -> None:
        """Take what happened, and do what can be done now."""
        if self._recorder is None:
            return
        for event in events:
            self._take(event, now)
        for (kind, name), counted in list(self._counts.items()):
            if now >= counted.due:
                if counted.count:
                    self._tell_count(kind, name, counted, now)
                else:
                    del self._counts[kind, name]
        self._recorder.turn(now)
        self._ask_journal(asks, now)
        self._ask_witness(asks, now)

    def _take(self, event: object, now: float) -> None:
        if isinstance(event, JournalAnswer):
            self._take_journal(event, now)
            return
        if isinstance(event, Witnessed):
            self._take_witness(event)
            return
        if isinstance(event, Hello):
            self._board = event.identity.board
        if isinstance(event, Hello | Rebooted | Transition):
            self._behind = True
        if isinstance(event, Hello | Rebooted):
            self._known = None
            self._tries = 0
        kind, fields = _told(event)
        self.note(kind, **fields)

    # --- the controller's journal

    def _ask_journal(self, asks: Asks, now: float) -> None:
        assert self._recorder is not None
        last = self._recorder.journal
        if not self._behind or not self._board or last is None or now < self._ask_at:
            return
        board, sequence = last
        self._asked = max(self._asked, sequence + 1 if board == self._board else 1)
        self._ask_at = now + ASK_S
        asks.ask_journal(self._asked)

    def _take_journal(self, answer: JournalAnswer, now: float) -> None:
        if answer.asked != self._asked:
            return
        sequence = max(self._asked, answer.oldest)
        if sequence >= answer.next:
            self._behind = False
            return
        if sequence > self._asked:
            self.note("journal_lost", first=self._asked, last=sequence - 1)
        entry = entry_of(answer, None)
        if entry is None or entry.sequence != sequence:
            self.note("journal_lost", first=sequence, last=sequence)
        else:
            self.note(
                "journal",
                board=self._board,
                sequence=sequence,
                entry=answer.entry,
                **entry.model_dump(mode="json", exclude={"sequence", "authentic", "stored"}),
            )
        self._asked = sequence + 1
        self._ask_at = now

    # --- the controller's signature under checkpoints

    def _ask_witness(self, asks: Asks, now: float) -> None:
        """First what was signed last, lest a signature be missing whose answer was lost."""
        assert self._recorder is not None
        wanted = self._recorder.ask
        if wanted != self._wanted:
            self._wanted, self._tries = wanted, 0
        if not wanted or not self._board or now < self._witness_at or self._tries >= WITNESS_TRIES:
            return
        self._tries += 1
        self._witness_at = now + WITNESS_S
        asks.ask_witness(b"" if self._known is None else wanted)

    def _take_witness(self, event: Witnessed) -> None:
        if self._known is None:
            self._witness_at = 0.0
            self._tries = 0
        if event.statement and event.statement != self._known:
            self.note("witnessed", statement=event.statement.hex())
        self._known = event.statement

    def close(self) -> None:
        """The last words; waits a second at most."""
        if self._recorder is not None:
            self.note("ended")
            self._recorder.close()


def open_diary(folder: str | None) -> Diary:
    """Into the log in `folder`, see RecordSection."""
    if folder is None:
        return Diary(Recorder(DEFAULT_FOLDER)) if is_log(DEFAULT_FOLDER) else Diary()
    return Diary(Recorder(Path(folder))) if folder else Diary()


def digest_of(file: Path | None) -> str:
    """SHA-256 of a file in hexadecimal; why not, or "" for none."""
    if file is None:
        return ""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return error.strerror or "unreadable"


TOLD: dict[type, Callable[[Any], dict[str, Any]]] = {
    Hello: lambda event: event.identity.model_dump(),
    Attested: lambda event: {
        "firmware": event.firmware.hex(),
        "configuration": event.configuration,
    },
    Fault: lambda event: {"error": str(event.error)},
}


def _told(event: object) -> tuple[str, dict[str, Any]]:
    """Kind and fields of an event."""
    name = type(event).__name__
    fields = TOLD[type(event)](event) if type(event) in TOLD else {}
    if not fields and is_dataclass(event):
        fields = {one.name: getattr(event, one.name) for one in fields_of(event)}
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(), fields
