"""What is done to a controller in maintenance, through MicroPython's prompt (SR-16, SR-19).

The prompt is there only if the key switch was in maintenance when the board was powered up.
"""

import contextlib
import hashlib
import io
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial import SerialException
from typing_extensions import Self

from redbutton import attestation, key
from redbutton.attestation import Configuration, Record
from redbutton.errors import (
    BoardNotWritten,
    KeyUnreadable,
    NotInMaintenance,
    RedbuttonError,
    WrongBoard,
)
from redbutton.firmware import attest, wire
from redbutton.firmware.probe import protocol
from redbutton.journal import answer_of
from redbutton.link import SerialLink, find_port

LISTEN_S = 0.4  # a controller in operation reports every 20 ms
PROMPT_S = 3.0
READ_S = 5.0
CHUNK = 1024
MICROPYTHON_MIN = (1, 23)  # from there on USB starts after boot.py, which closes it
FOLDER = 0x4000
ERRORS = (TransportError, SerialException, OSError)
FIRST, LAST = "boot.py", "main.py"
WITNESS = ".witness"  # after the name of the link key

Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all


class Maintenance:
    """The board's prompt. Use as a context manager; every failure is a RedbuttonError."""

    def __init__(self, port: str | None) -> None:
        """PortInUse, NotInMaintenance or another RedbuttonError if it cannot be had."""
        self.port = port or find_port()
        _refuse_in_operation(self.port)
        with self._told("no prompt of MicroPython", NotInMaintenance):
            self._board = SerialTransport(self.port, timeout=READ_S)
        try:
            with self._told(
                "neither a controller nor the prompt of MicroPython is heard: is it powered up "
                "with the key switch in maintenance?",
                NotInMaintenance,
            ):
                self._board.enter_raw_repl(soft_reset=True, timeout_overall=PROMPT_S)
                self._board.exec("import binascii, json, os, sys, machine, hashlib")
            version = self._value("tuple(sys.implementation[1])[:2]")
            if version < MICROPYTHON_MIN:
                raise NotInMaintenance(
                    f"{self.port}: MicroPython {version[0]}.{version[1]} is too old, it opens its "
                    f"port before boot.py: install 1.23 or later"
                )
            self.board = str(self._value("binascii.hexlify(machine.unique_id()).decode()"))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the prompt as it was found."""
        with contextlib.suppress(*ERRORS):
            self._board.exit_raw_repl()
        with contextlib.suppress(*ERRORS):
            self._board.close()

    @contextlib.contextmanager
    def _told(self, text: str, kind: type[RedbuttonError] = BoardNotWritten) -> Iterator[None]:
        """Failures of the transport as one line. It prints what it reads: that is kept back."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except ERRORS as error:
            last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise kind(f"{self.port}: {text} ({last[0]})") from None

    def _run(self, code: str) -> str:
        with self._told("the board did not do what it was asked"):
            return str(self._board.exec(code).decode()).strip()

    def _value(self, expression: str) -> Any:
        with self._told("the board did not answer"):
            return self._board.eval(expression)

    # --- files

    def files(self, folder: str = "") -> list[str]:
        """Every file on the flash."""
        found: list[str] = []
        with self._told("its files cannot be listed"):
            entries = self._board.fs_listdir(folder or ".")
        for entry in entries:
            name = folder + entry.name
            found += self.files(name + "/") if entry.st_mode == FOLDER else [name]
        return found

    def digest_of(self, name: str) -> bytes:
        """SHA-256 of a file on the flash, computed there."""
        with self._told(f"{name} cannot be read back"):
            return bytes(self._board.fs_hashfile(name, "sha256"))

    def flash(self, wanted: dict[str, bytes], progress: Progress) -> tuple[list[str], list[str]]:
        """Make `wanted` the files of the flash, but for attest.DATA; (written, removed).

        Whenever this ends early there is no main.py, and the board stays off until it is repeated.
        """
        there = self.files()
        stray = [name for name in there if name not in wanted and name not in attest.DATA]
        changed = [
            name
            for name, content in wanted.items()
            if name not in there or self.digest_of(name) != _sha256(content)
        ]
        if not changed and not stray:
            return [], []
        if LAST in there:
            self._remove(LAST)
        todo = {FIRST, *changed, LAST} & set(wanted)
        order = sorted(todo, key=lambda name: (name == LAST, name != FIRST, name))
        total = sum(len(wanted[name]) for name in order)
        done = 0
        for name in stray:
            self._remove(name)
        for name in order[:-1]:
            done = self._put(name, wanted[name], progress, done, total)
        for name, content in wanted.items():
            if name != LAST and self.digest_of(name) != _sha256(content):
                raise BoardNotWritten(f"{name} reads back wrong: the board stays off, flash again")
        self._put(LAST, wanted[LAST], progress, done, total)
        left = set(self.files()) - set(attest.DATA) ^ set(wanted)
        if left or self.digest_of(LAST) != _sha256(wanted[LAST]):
            self._remove(LAST)
            raise BoardNotWritten(f"{', '.join(sorted(left)) or LAST} is not as it should be")
        with self._told("the new boot.py does not start: flash again"):
            self._board.enter_raw_repl(soft_reset=True, timeout_overall=PROMPT_S)
        return order, stray

    def _put(self, name: str, content: bytes, progress: Progress, done: int, total: int) -> int:
        """A whole file or the old one, whenever power fails; how much is done then."""
        with self._told(f"{name} cannot be written: the board stays off, flash again"):
            self._board.fs_writefile(
                name + ".new",
                content,
                CHUNK,
                lambda written, _: progress(name, done + written, total),
            )
            self._board.exec(f"os.rename({name + '.new'!r}, {name!r})")
        return done + len(content)

    def _remove(self, name: str) -> None:
        with self._told(f"{name} cannot be removed"):
            self._board.fs_rmfile(name)
            folder = name.rpartition("/")[0]
            while folder and not self._board.fs_listdir(folder):
                self._board.fs_rmdir(folder)
                folder = folder.rpartition("/")[0]

    # --- settings

    def provision(
        self,
        link_key: bytes,
        heartbeat_timeout_ms: int | None,
        stop_delay_ms: int | None,
        name: str | None,
        new_witness: bool = False,
    ) -> tuple[Record, str | None]:
        """Store these; what the controller stored, within its limits. None keeps what is there.

        And the key that the controller made itself to sign as a witness, in hexadecimal: None if
        it had one, and keeps it.
        """
        answer = self._run(
            f"import settings\nprint(json.dumps(settings.provision({link_key!r}, "
            f"{heartbeat_timeout_ms!r}, {stop_delay_ms!r}, {name!r}, {new_witness!r})))"
        )
        try:
            stored = json.loads(answer)
            witness = stored.pop("witness_key")
            record = Record(
                board=self.board,
                key_id=stored.pop("key_id"),
                configuration=Configuration.model_validate(stored),
            )
            return record, witness
        except (ValueError, KeyError, AttributeError):
            raise BoardNotWritten(f"{self.port}: the board does not say what it stored") from None

    # --- what is there, for another key

    def key_id(self) -> bytes:
        """Of the link key in the flash; zeros if there is none."""
        answer = self._run(
            "import settings, wire\nk = settings.load().key\n"
            "print(binascii.hexlify(wire.key_id(k) if k else bytes(4)).decode())"
        )
        return self._bytes(answer)

    def configuration(self) -> Configuration:
        """As it is in the flash."""
        answer = self._run(
            "import settings\ns = settings.load()\nprint(json.dumps({'heartbeat_timeout_ms': "
            "s.heartbeat_timeout, 'stop_delay_ms': s.stop_delay, 'name': s.name.decode()}))"
        )
        try:
            return Configuration.model_validate_json(answer)
        except ValueError:
            raise BoardNotWritten(f"{self.port}: the board does not say what it stored") from None

    def proof(self, message: bytes) -> bytes:
        """HMAC-SHA256 of a message under the link key in the flash."""
        return self._bytes(
            self._run(
                "import settings, wire\nprint(binascii.hexlify(wire.Signer(settings.load().key)"
                f".mac({message!r})).decode())"
            )
        )

    def journal_next(self) -> int:
        """The sequence of the journal's next entry."""
        answer = self._run(
            "import journal\nprint(binascii.hexlify(journal.Journal(None, 0).answer(0)).decode())"
        )
        journal = answer_of(self._bytes(answer))
        if journal is None:
            raise BoardNotWritten(f"{self.port}: the board's journal cannot be read")
        return journal.next

    def _bytes(self, answer: str) -> bytes:
        try:
            return bytes.fromhex(answer)
        except ValueError:
            raise BoardNotWritten(f"{self.port}: the board does not say what it holds") from None


def provision(
    board: Maintenance,
    key_file: Path,
    new_key: bool,
    heartbeat_timeout_ms: int | None,
    stop_delay_ms: int | None,
    name: str | None,
    new_witness: bool = False,
) -> tuple[Record, Path | None]:
    """Give board and host one link key, made if there is none, and the board its configuration.

    And the file in which the board's witness key is, if the board has made one: for whoever
    verifies the record, off this computer.
    """
    if name is not None and len(name.encode()) > wire.NAME_SIZE:
        raise RedbuttonError(f"a name has at most {wire.NAME_SIZE} bytes, {name!r} has more")
    made = new_key or not key_file.exists()
    link_key = secrets.token_bytes(wire.KEY_SIZE) if made else key.load(key_file)
    record_file = attestation.record_file(key_file)
    try:
        key_file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with key.replacing(record_file, 0o644) as record_out, key.replacing(key_file) as key_out:
            since = board.journal_next() if made else _journal_since(key_file)
            record, witness = board.provision(
                link_key, heartbeat_timeout_ms, stop_delay_ms, name, new_witness
            )
            record = record.model_copy(update={"journal_since": since})
            key_out.write(link_key.hex() + "\n")
            record_out.write(record.model_dump_json(indent=1) + "\n")
        witness_file = key_file.with_name(key_file.name + WITNESS) if witness else None
        if witness_file is not None:
            with key.replacing(witness_file) as out:
                out.write(f"{witness}\n")
    except OSError as error:
        raise KeyUnreadable(
            f"cannot write {error.filename or key_file}: {error.strerror}"
        ) from None
    return record, witness_file


def _journal_since(key_file: Path) -> int:
    record = attestation.load_record(key_file)
    return record.journal_since if record else 0


def _refuse_in_operation(port: str) -> None:
    """NotInMaintenance if a controller reports on this port. Nothing is sent to it."""
    link = SerialLink(port)
    reader = wire.LineReader()
    end = time.monotonic() + LISTEN_S
    try:
        while time.monotonic() < end:
            for byte in link.read():
                line = reader.push(byte)
                frame = wire.decode(line) if line else None
                if frame and frame[1] in protocol.FROM_PROBE:
                    raise WrongBoard(f"{port} is the bench's probe, no controller")
                if frame:
                    raise NotInMaintenance(
                        f"{port}: the controller is in operation, and closed: turn the key switch "
                        "to maintenance, then take the board's power away and give it back"
                    )
            time.sleep(0.01)
    finally:
        link.close()


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
