"""`redbutton rotate-key`: another link key for host and controller, whenever it is interrupted.

The new key lies beside the old one (`key.next`, with its record) before the controller is touched,
and takes its place only when the controller has proved to hold it:

| step | the host's key | beside it | the controller's key |
|---|---|---|---|
| | old | | old |
| prepare | old | new | old |
| store, in maintenance | old | new | new |
| prove, then commit | new | | new |

So at any moment one of the keys that the host holds is the controller's, and running it again goes
on from there: in maintenance, or, if only the commit is missing, in operation too. From the
moment that the controller has stored the new key it takes no heartbeat under the old one.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from redbutton import attestation, key
from redbutton.attestation import Expected, Record
from redbutton.errors import (
    BoardNotWritten,
    KeyUnreadable,
    NoContact,
    NotInMaintenance,
    RotationUnfinished,
    WrongKey,
)
from redbutton.firmware import wire
from redbutton.link import SerialLink, find_port
from redbutton.maintenance import Maintenance
from redbutton.session import Attested, Fault, Session

ATTEST_S = 2.0
TURN_S = 0.01


def rotate(port: str | None, key_file: Path) -> Record:
    """Do all that is left to do; what is recorded of the controller under the new key.

    RotationUnfinished if a rotation was begun before and can only go on in maintenance.
    """
    old = key.load(key_file)
    unfinished = key.next_file(key_file).exists()
    try:
        with Maintenance(port) as board:
            new = _prepare(board, key_file, old)
            _store(board, key_file, old, new)
    except NotInMaintenance as error:
        if not unfinished:
            raise
        _proved_in_operation(port, key_file, old, error)
    return _commit(key_file)


def _prepare(board: Maintenance, key_file: Path, old: bytes) -> bytes:
    """The new key, on the disk before anybody else can hold it."""
    file = key.next_file(key_file)
    if file.exists():
        return key.load(file)
    if board.key_id() != wire.key_id(old):
        raise WrongKey(
            f"the controller holds link key {board.key_id().hex()}, this host holds "
            f"{wire.key_id(old).hex()}: `redbutton provision` gives both one key"
        )
    new = secrets.token_bytes(wire.KEY_SIZE)
    record = Record(
        board=board.board,
        key_id=wire.key_id(new).hex(),
        configuration=board.configuration(),
        journal_since=board.journal_next(),
    )
    with _written(key_file):
        with key.replacing(attestation.record_file(file), 0o644, key_file) as out:
            out.write(record.model_dump_json(indent=1) + "\n")
        with key.replacing(file, like=key_file) as out:
            out.write(new.hex() + "\n")
        _sync(file.parent)
    return new


def _store(board: Maintenance, key_file: Path, old: bytes, new: bytes) -> None:
    """The controller holds the new key, and has proved it under a nonce of ours."""
    held = board.key_id()
    if held not in (wire.key_id(old), wire.key_id(new)):
        raise WrongKey(
            f"the controller holds link key {held.hex()}, and neither the one of this host nor "
            f"the one in {key.next_file(key_file)}: `redbutton provision` gives both one key"
        )
    if held != wire.key_id(new):
        board.provision(new, None, None, None)
    question = b"redbutton rotation" + os.urandom(wire.NONCE_SIZE)
    if board.proof(question) != wire.Signer(new).mac(question):
        raise BoardNotWritten("the controller does not prove that it holds the new key: again")


def _proved_in_operation(
    port: str | None, key_file: Path, old: bytes, error: NotInMaintenance
) -> None:
    """The controller in operation attests under the new key. If it still holds the old one,
    RotationUnfinished: that one is good as long."""
    new, record = key.load(key.next_file(key_file)), _record(key_file)
    expected = Expected(attestation.digest(attestation.files()), record.configuration)
    session = Session(new, first_sequence=secrets.randbelow(65536), expected=expected)
    with contextlib.closing(SerialLink(port or find_port())) as link:
        link.write(session.opened(time.monotonic()))
        end = time.monotonic() + ATTEST_S
        while time.monotonic() < end:
            for event in session.receive(link.read(), time.monotonic()):
                if isinstance(event, Attested):
                    return
                if isinstance(event, Fault):
                    held = session.identity and session.identity.key_id
                    if held == wire.key_id(old).hex():
                        raise RotationUnfinished(
                            f"the controller still holds the old key, which is in force: {error}"
                        ) from None
                    raise event.error
            link.write(session.answer(time.monotonic()))
            time.sleep(TURN_S)
    raise NoContact(f"{link.port}: the controller is not heard")


def _commit(key_file: Path) -> Record:
    """The new key takes the place of the old one, of which nothing stays."""
    file = key.next_file(key_file)
    record = _record(key_file)
    with _written(key_file):
        with contextlib.suppress(FileNotFoundError):  # moved already
            attestation.record_file(file).replace(attestation.record_file(key_file))
        file.replace(key_file)
        _sync(key_file.parent)
    return record


def _record(key_file: Path) -> Record:
    """Of the new key; it takes its place a moment before the key itself."""
    record = attestation.load_record(key.next_file(key_file)) or attestation.load_record(key_file)
    if record is None:
        raise KeyUnreadable(
            f"there is no record beside {key.next_file(key_file)}: remove that file"
        )
    return record


@contextlib.contextmanager
def _written(key_file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyUnreadable(
            f"cannot write {error.filename or key_file}: {error.strerror}"
        ) from None


def _sync(folder: Path) -> None:
    """What was renamed stays so, whenever power fails."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
