"""The log on a disk: a folder that one process writes, whatever moment it is killed at.

| file | what |
|---|---|
| `0000000000000001.log` ... | the entries, a line each; each file is named by the first in it |
| `state` | where the log stands, with the key of the next entry: two copies |
| `log.json` | origin and public key |
| `signing-key` | the Ed25519 key that signs checkpoints |

Rule 1: an entry is acknowledged only when it is on the disk (fsync).
Rule 2: then the state is written over, one copy after the other, each in place so that the key of
        an entry that exists is gone. So the state is never ahead of the entries, and from the
        state the keys of entries that a crash left after it can be made.
Rule 3: what a crash left of an entry is never taken away. The next entry says how many bytes in
        front of it are none, and their digest.
Rule 4: entries that the state knows and that are gone stay missing: their keys are, too. The log
        goes on after them and says so.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from redbutton.errors import RecordUnwritable, RecordWrong
from redbutton.record import entry
from redbutton.record.checkpoint import public_key
from redbutton.record.entry import Body, EntryWrong, Place
from redbutton.record.tree import Frontier, leaf_hash

STATE, LOG, SIGNING_KEY = "state", "log.json", "signing-key"
SLOT_SIZE = 4096
SLOTS = 2
SUFFIX = ".log"
SEGMENT_BYTES = 16 << 20
DIGEST_DIGITS = 64
TORN = b" torn\n"
JOURNAL = "journal"  # the kind of an entry


class Escrow(NamedTuple):
    """What whoever verifies keeps, off the robot. In hexadecimal but for `origin`."""

    origin: str
    first_key: str
    public_key: str


class State(NamedTuple):
    """Where the log stands. `run`, `number`: the last that was told by another process.
    `journal`: board and sequence of the last entry of a controller's journal."""

    place: Place
    nodes: tuple[bytes, ...]
    segment: str
    offset: int
    run: str
    number: int
    journal: tuple[str, int]


class Disk:
    """The calls that can fail, or be the last ones of a process."""

    def write(self, handle: int, data: bytes) -> int:
        """Append; how many bytes it took."""
        return os.write(handle, data)

    def write_at(self, handle: int, data: bytes, offset: int) -> int:
        """Write over."""
        return os.pwrite(handle, data, offset)

    def sync(self, handle: int) -> None:
        """Until it is on the disk."""
        os.fsync(handle)

    def cut(self, handle: int, size: int) -> None:
        """Take the end away."""
        os.ftruncate(handle, size)


def create(path: Path, origin: str) -> Escrow:
    """A new log; RecordWrong if there is one, or if it cannot be made."""
    first_key, seed = secrets.token_bytes(entry.KEY_SIZE), secrets.token_bytes(entry.KEY_SIZE)
    public = public_key(seed)
    if not origin or any(c.isspace() or c == "+" or not c.isprintable() for c in origin):
        raise RecordWrong(f"an origin has no spaces and no plus sign: {origin!r}")
    state = State(entry.first_place(first_key), (), _segment(1), 0, "", 0, ("", 0))
    log = {"origin": origin, "public_key": public.hex()}
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise RecordWrong(
                f"{path} is not empty: a record is made once, in a folder of its own"
            )
        for name, data in (
            (SIGNING_KEY, seed.hex().encode() + b"\n"),
            (LOG, entry.canonical(log) + b"\n"),
            (STATE, SLOTS * _slot(state)),
        ):
            handle = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
        _sync_folder(path)
    except OSError as error:
        raise RecordWrong(f"{path}: {error.strerror}") from None
    return Escrow(origin, first_key.hex(), public.hex())


def is_log(path: Path) -> bool:
    """Whether a log was made in this folder."""
    try:
        return (path / LOG).exists()
    except OSError:
        return True  # it may not be looked at: whoever tries to use it is told


def segments(path: Path) -> list[Path]:
    """The files with entries, in order."""
    return sorted(file for file in path.glob("*" + SUFFIX) if file.stem.isdigit())


def about(path: Path) -> dict[str, str]:
    """Origin and public key, as the folder says; RecordWrong if it does not."""
    try:
        found = json.loads((path / LOG).read_bytes())
        return {name: str(found[name]) for name in ("origin", "public_key")}
    except OSError as error:
        raise RecordWrong(f"{path} holds no record that can be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RecordWrong(f"{path / LOG} is damaged") from None


def load_state(path: Path) -> State:
    """The newest copy that is whole; RecordWrong if there is none."""
    try:
        data = (path / STATE).read_bytes()
    except OSError as error:
        raise RecordWrong(f"{path / STATE}: {error.strerror}") from None
    copies = [_state_of(data[i * SLOT_SIZE : (i + 1) * SLOT_SIZE]) for i in range(SLOTS)]
    found = [copy for copy in copies if copy is not None]
    if not found:
        raise RecordWrong(f"{path / STATE} is damaged: the key of the next entry is lost")
    return max(found, key=lambda state: state.place.size)


class Folder:
    """The log as its one writer has it open. `repair`: what was found wrong when it was opened."""

    def __init__(
        self, path: Path, disk: Disk | None = None, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """RecordWrong if it is no log, or another process has it; RecordUnwritable if the disk
        does not do what it should."""
        self._path = path
        self._disk = disk or Disk()
        self._segment_bytes = segment_bytes
        about_it = about(path)
        self.origin, self.public_key = about_it["origin"], about_it["public_key"]
        self._log = -1
        try:
            self.seed = bytes.fromhex((path / SIGNING_KEY).read_text("ascii"))
            self._slots = os.open(path / STATE, os.O_RDWR)
        except (OSError, ValueError) as error:
            raise RecordUnwritable(f"{path}: {error}") from None
        try:
            fcntl.flock(self._slots, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._go_on(load_state(path))
        except BlockingIOError:
            self.close()
            raise RecordWrong(f"{path} is written by another process") from None
        except OSError as error:
            self.close()
            raise RecordUnwritable(f"{path}: {error.strerror}") from None
        except RecordWrong:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have it."""
        for handle in (self._log, self._slots):
            if handle >= 0:
                os.close(handle)
        self._log = self._slots = -1

    # --- where it stands

    @property
    def size(self) -> int:
        """Entries so far."""
        return self._state.place.size

    @property
    def root(self) -> bytes:
        """Of the tree over them."""
        return self._tree.root()

    @property
    def last_told(self) -> tuple[str, int]:
        """Run and number of the last entry that another process told."""
        return self._state.run, self._state.number

    @property
    def last_journal(self) -> tuple[str, int]:
        """Board and sequence of the last entry of a controller's journal that is in the log."""
        return self._state.journal

    def _go_on(self, state: State) -> None:
        """Take what a crash left after the state, as far as it is whole."""
        self._state = state
        self._tree = Frontier(state.place.size, state.nodes)
        self._settled = True
        self._left = b""  # what is no entry at the end of the file
        self.repair: dict[str, Any] | None = None
        here = self._path / state.segment
        there = here.stat().st_size if here.exists() else 0
        if there < state.offset:
            self.repair = {"missing_bytes": state.offset - there, "file": state.segment}
            self._open(_segment(self.size + 1))
        else:
            self._open(state.segment)
        self._take()
        while not self._left and (self._path / (name := _segment(self.size + 1))).exists():
            if name == self._state.segment:
                break
            self._open(name)
            self._take()
        # What is no entry gets an end by which it can never become one.
        self._ending = TORN if self._left and not self._left.endswith(b"\n") else b""
        if self._left:
            junk = entry.junk_fields(self._left + self._ending)
            self.repair = {**(self.repair or {}), **junk}

    def _take(self) -> None:
        """The entries of the open file after the state."""
        with (self._path / self._state.segment).open("rb") as file:
            file.seek(self._state.offset)
            data = file.read()
        junk = b""
        at = self._state.offset
        for line in data.splitlines(keepends=True):
            at += len(line)
            body = self._whole(line)
            if body is None or (junk and not entry.tells_of(body, junk)):
                junk += line
            else:
                junk = b""
                self._advance(body, at)
        self._left = junk

    def _whole(self, line: bytes) -> bytes | None:
        """The body of the line that is the next entry; None if it is not."""
        place = self._state.place
        try:
            body, code = entry.split(line)
            said = entry.decode(body)
        except EntryWrong:
            return None
        if (said.sequence, said.previous) != (place.size + 1, place.previous):
            return None
        return body if hmac.compare_digest(code, entry.mac(place.key, body)) else None

    def _advance(self, body: bytes, offset: int) -> None:
        said = entry.decode(body)
        told = (said.run, said.number) if said.run else (self._state.run, self._state.number)
        journal = self._state.journal
        if said.kind == JOURNAL:
            journal = (str(said.fields.get("board")), int(said.fields.get("sequence", 0)))
        self._tree.append(leaf_hash(body))
        self._settled = False
        self._state = State(
            self._state.place.after(body),
            tuple(self._tree.nodes),
            self._state.segment,
            offset,
            *told,
            journal,
        )

    # --- writing

    def append(self, news: Iterable[Body]) -> None:
        """Put these on the disk; `sequence` and `previous` are set here.

        RecordUnwritable: none of them is in the log, and another try may follow.
        """
        lines, bodies = [], []
        place = self._state.place
        for one in news:
            body = entry.encode(one._replace(sequence=place.size + 1, previous=place.previous))
            lines.append(entry.line(body, place.key))
            bodies.append(body)
            place = place.after(body)
        if not bodies:
            return
        if self._state.offset >= self._segment_bytes and not self._left:
            self._next_segment()
        begin = self._state.offset + len(self._left)
        data = self._ending + b"".join(lines)
        try:
            self._disk.cut(self._log, begin)  # an earlier try may have left something
            while data:
                data = data[self._disk.write(self._log, data) :]
            self._disk.sync(self._log)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._disk.cut(self._log, begin)
            raise RecordUnwritable(f"{self._path}: {error.strerror}") from None
        begin += len(self._ending)
        self._left = self._ending = b""
        for body, line in zip(bodies, lines, strict=True):
            begin += len(line)
            self._advance(body, begin)

    def settle(self) -> None:
        """Write the state over, so that keys of entries that exist are gone."""
        if self._settled:
            return
        slot = _slot(self._state)
        try:
            for i in range(SLOTS):
                if self._disk.write_at(self._slots, slot, i * SLOT_SIZE) != SLOT_SIZE:
                    raise RecordUnwritable(f"{self._path / STATE}: written in part")
                self._disk.sync(self._slots)
        except OSError as error:
            raise RecordUnwritable(f"{self._path / STATE}: {error.strerror}") from None
        self._settled = True

    def _next_segment(self) -> None:
        try:
            self._open(_segment(self.size + 1))
        except OSError as error:
            raise RecordUnwritable(f"{self._path}: {error.strerror}") from None

    def _open(self, name: str) -> None:
        """Go on in this file; a new one is in the folder for good before it is written."""
        new = not (self._path / name).exists()
        handle = os.open(self._path / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if new:
            _sync_folder(self._path)
        if self._log >= 0:
            os.close(self._log)
        self._log = handle
        if name != self._state.segment:
            self._state = self._state._replace(segment=name, offset=0)


def lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every line of a folder's log, in order, with the name of its file."""
    for file in segments(path):
        with file.open("rb") as opened:
            for line in opened:
                yield file.name, line


def _segment(sequence: int) -> str:
    return f"{sequence:016d}{SUFFIX}"


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _slot(state: State) -> bytes:
    """A copy of the state: JSON, its digest, and as many spaces as it takes."""
    text = entry.canonical(
        {
            "journal": state.journal,
            "key": state.place.key.hex(),
            "nodes": [node.hex() for node in state.nodes],
            "number": state.number,
            "offset": state.offset,
            "previous": state.place.previous,
            "run": state.run,
            "segment": state.segment,
            "size": state.place.size,
        }
    )
    return (hashlib.sha256(text).hexdigest().encode() + text).ljust(SLOT_SIZE)


def _state_of(slot: bytes) -> State | None:
    text = slot[DIGEST_DIGITS:].rstrip()
    if hashlib.sha256(text).hexdigest().encode() != slot[:DIGEST_DIGITS]:
        return None
    found = json.loads(text)
    return State(
        Place(found["size"], found["previous"], bytes.fromhex(found["key"])),
        tuple(bytes.fromhex(node) for node in found["nodes"]),
        found["segment"],
        found["offset"],
        found["run"],
        found["number"],
        (found["journal"][0], found["journal"][1]),
    )
