"""The process that alone writes the log, so that nobody who makes a heartbeat waits for a disk.

    python -m redbutton.record.writer FOLDER HANDLE      # started by `recorder.Recorder`

HANDLE is a socket (SOCK_SEQPACKET). Each message that comes is a note: {"run", "number", "kind",
"fields", "time", "monotonic_ms"}. After each batch that is on the disk the answer is {"run",
"number"} of the last note in it, "problem" (why nothing can be written now; "") and "ask" (the
digest of a checkpoint that the controller should sign, in hexadecimal; "") and "journal" (board
and sequence of the last entry of a controller's journal that is in the log). When the other end is
gone what has come is written, and the process ends.
"""

import contextlib
import json
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from redbutton import __version__
from redbutton.errors import RedbuttonError
from redbutton.record import checkpoint, entry
from redbutton.record.checkpoint import Checkpoint, Statement
from redbutton.record.entry import Body
from redbutton.record.folder import Folder

MESSAGE_MAX = 1 << 17
BATCH_MAX = 256
RETRY_S = 1.0
CHECKPOINT_S = 60.0  # at most so long after an entry
CHECKPOINT_MIN_S = 2.0  # and not sooner after the last one
CHECKPOINT_ENTRIES = 256
URGENT = frozenset({"transition", "stop_requested", "rebooted", "fault", "ended"})
OWN = frozenset({"checkpoint", "witnessed"})  # say nothing new: no reason for a checkpoint
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Note(NamedTuple):
    """What is told to the writer, but for what the log itself adds."""

    kind: str
    fields: dict[str, Any]
    time: str
    monotonic_ms: int
    run: str = ""
    number: int = 0


def stamp(kind: str, fields: dict[str, Any], run: str = "", number: int = 0) -> Note:
    """A note of now."""
    now = time.time_ns() // 1_000_000
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000))
    return Note(
        kind, fields, f"{text}.{now % 1000:03d}Z", int(time.monotonic() * 1000), run, number
    )


class Writer:
    """The log with its checkpoints. Times are seconds of any monotonic clock."""

    def __init__(self, folder: Folder) -> None:
        """Go on with a log. The first `write` says that, and what was found wrong."""
        self._folder = folder
        self._boot = _boot()
        self._uncovered = 0  # entries that no checkpoint covers
        self._since = 0.0  # when the first of them came
        self._urgent = False
        self._checked = float("-inf")
        self.ask = ""
        self.problem = ""
        self._failed = ""
        self._begun = False

    def _begin(self) -> list[Note]:
        notes = []
        if self._folder.repair is not None:
            notes.append(stamp(entry.REPAIRED, self._folder.repair))
        if not self._folder.size:
            fields = {"origin": self._folder.origin, "public_key": self._folder.public_key}
            notes.append(stamp("begun", fields))
        versions = {"redbutton": __version__, "python": sys.version.split()[0]}
        notes.append(stamp("writing", versions))
        return notes

    def write(self, notes: list[Note], now: float) -> bool:
        """Put these in the log, and a checkpoint where one is due; False if that failed."""
        own: list[Note] = []
        if not self._begun:
            own += self._begin()
        if self._failed:
            own.append(stamp("resumed", {"problem": self._failed}))
        notes = own + [note for note in notes if self._is_new(note)]
        try:
            self._append(notes)
        except RedbuttonError as error:
            self._failed = self.problem = str(error)
            return False
        self._begun = True
        self._failed = self.problem = ""
        for note in notes:
            self._look_at(note, now)
        if self.due(now):
            self.check(now)
        try:
            self._folder.settle()
        except RedbuttonError as error:
            self.problem = str(error)
        return True

    def _append(self, notes: list[Note]) -> None:
        self._folder.append(
            Body(
                self._boot,
                note.fields,
                note.kind,
                note.monotonic_ms,
                note.number,
                "",
                note.run,
                0,
                note.time,
            )
            for note in notes
        )

    def _is_new(self, note: Note) -> bool:
        """What was told before this process was killed may be told again."""
        run, number = self._folder.last_told
        return note.run != run or note.number > number

    def _look_at(self, note: Note, now: float) -> None:
        if note.kind == "witnessed":
            said = Statement.of(bytes.fromhex(str(note.fields.get("statement", ""))))
            if said is not None and said.digest.hex() == self.ask:
                self.ask = ""
        elif note.kind not in OWN:
            self._since = self._since if self._uncovered else now
            self._uncovered += 1
            self._urgent |= note.kind in URGENT

    def due(self, now: float) -> bool:
        """Whether a checkpoint is due."""
        if not self._uncovered or now - self._checked < CHECKPOINT_MIN_S:
            return False
        return (
            self._urgent
            or self._uncovered >= CHECKPOINT_ENTRIES
            or now - self._since >= CHECKPOINT_S
        )

    def end(self, now: float) -> None:
        """Leave nothing that no checkpoint covers, if that is possible."""
        if self._uncovered and not self._failed:
            self.check(now)
            with contextlib.suppress(RedbuttonError):
                self._folder.settle()

    def check(self, now: float) -> None:
        """Make a checkpoint of all that is in the log, and ask for the controller's signature."""
        folder = self._folder
        made = Checkpoint(folder.origin, folder.size, folder.root, int(time.time()))
        try:
            signed = checkpoint.sign(made, folder.seed)
            self._append([stamp("checkpoint", {"note": signed.note})])
        except RedbuttonError as error:
            self.problem = str(error)
            return
        self._checked = now
        self._uncovered = 0
        self._urgent = False
        self.ask = made.digest.hex()


def serve(folder: Folder, told: socket.socket) -> None:
    """Until the other end is gone."""
    writer = Writer(folder)
    waiting: list[Note] = []
    over = False
    written = writer.write([], time.monotonic())
    while True:
        if not over and len(waiting) < BATCH_MAX:
            select.select([told], [], [], RETRY_S)
        elif not written:
            time.sleep(RETRY_S)
        while not over and len(waiting) < BATCH_MAX:
            try:
                message = told.recv(MESSAGE_MAX, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            over = not message
            if message:
                waiting.append(Note(**json.loads(message)))
        last = waiting[-1] if waiting else None
        written = writer.write(waiting, time.monotonic())
        if written:
            waiting = []
        if over:
            writer.end(time.monotonic())
            return
        answer: dict[str, Any] = {
            "problem": writer.problem,
            "ask": writer.ask,
            "journal": folder.last_journal,
        }
        if written and last is not None:
            answer |= {"run": last.run, "number": last.number}
        told.send(json.dumps(answer).encode())


def _boot() -> str:
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def main(path: str, handle: str) -> None:
    """What the process does. What keeps it from writing is told, and it ends."""
    told = socket.socket(fileno=int(handle))
    try:
        folder = Folder(Path(path))
    except RedbuttonError as error:
        told.send(json.dumps({"problem": str(error), "ask": ""}).encode())
        sys.exit(error.exit_code)
    try:
        serve(folder, told)
    except OSError:  # the other end is gone
        pass
    finally:
        folder.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
