"""Logs to test with."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from redbutton.record.audit import End, Keys, Line, Report, audit
from redbutton.record.entry import Body
from redbutton.record.folder import Escrow, Folder, create, lines, load_state
from redbutton.record.writer import Note, Writer

ORIGIN = "lab/arm-2"
WITNESS_KEY = bytes(range(7, 39))
NO_KEYS = Keys()


def note(number: int, kind: str = "transition", run: str = "run", **fields: Any) -> Note:
    """The `number`th thing that a process tells."""
    time = f"2026-11-30T00:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    return Note(kind, fields or {"n": number}, time, 1000 * number, run, number)


def body(number: int, kind: str = "transition") -> Body:
    """The same as it goes to a folder."""
    told = note(number, kind)
    return Body("boot", told.fields, kind, told.monotonic_ms, number, "", "run", 0, told.time)


def keys(escrow: Escrow, witness: bool = False) -> Keys:
    """What a verifier with the escrow holds."""
    return Keys(
        bytes.fromhex(escrow.first_key),
        bytes.fromhex(escrow.public_key),
        WITNESS_KEY if witness else None,
    )


def made(path: Path, count: int, **settings: Any) -> tuple[Escrow, Folder]:
    """A new log with so many entries."""
    escrow = create(path, ORIGIN)
    folder = Folder(path, **settings)
    folder.append([body(i) for i in range(1, count + 1)])
    folder.settle()
    return escrow, folder


def verified(path: Path, held: Keys = NO_KEYS, **more: Any) -> Report:
    """As `redbutton log verify` does it."""
    state = load_state(path)
    end = End(state.place.size, key=state.place.key)
    return audit(ORIGIN, read(path), held, end=end, **more)


def read(path: Path) -> list[Line]:
    """The lines of a log."""
    return [Line(f"{name}:{i}", text) for i, (name, text) in enumerate(lines(path), 1)]


def entries(path: Path) -> list[dict[str, Any]]:
    """What stands in the lines that are entries, read with nothing of redbutton."""
    found = []
    for file in sorted(path.glob("*.log")):
        for line in file.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line)["entry"])
            except (ValueError, KeyError):
                continue
    return found


def kinds(path: Path) -> list[str]:
    """The kinds of all entries."""
    return [entry["kind"] for entry in entries(path)]


def witness_says(digest: bytes, counter: int, boot: int = 1, key: bytes = WITNESS_KEY) -> bytes:
    """What a controller would say, computed with nothing of redbutton."""
    text = digest + boot.to_bytes(2, "big") + b"\x12\x34" + counter.to_bytes(4, "big") + bytes(4)
    message = b"\x01\x07\x00\x00" + text
    return text + hmac.new(key, message, hashlib.sha256).digest()[:16]


class Told:
    """A writer that a test drives, with a controller beside it that signs what it asks for."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.folder = Folder(path, **settings)
        self.writer = Writer(self.folder)
        self.signed = 0
        self.now = 0.0
        self.number = self.folder.last_told[1]

    def tell(self, *kinds: str, seconds: float = 3.0, sign: bool = True) -> bool:
        """Notes of these kinds, one batch, some time after the last."""
        self.now += seconds
        notes = [note(self.number + i, kind) for i, kind in enumerate(kinds, 1)]
        self.number += len(kinds)
        done = self.writer.write(notes, self.now)
        if done and self.writer.ask and sign:
            self.signed += 1
            statement = witness_says(bytes.fromhex(self.writer.ask), self.signed)
            self.tell_statement(statement)
        return done

    def tell_statement(self, statement: bytes) -> None:
        """What the controller said."""
        self.number += 1
        told = note(self.number, "witnessed", statement=statement.hex())
        assert self.writer.write([told], self.now)
