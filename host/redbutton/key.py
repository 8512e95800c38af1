"""The link key on the host: 32 bytes, as 64 hexadecimal digits in a file of its own.

A service gets it from systemd as a credential (systemd.exec(5), LoadCredential), so that the file
can be root's alone.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from redbutton.errors import KeyUnreadable, MissingTool
from redbutton.firmware import wire

ENVIRONMENT = "REDBUTTON_KEY_FILE"
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd's
DEFAULT_FILE = Path("/etc/redbutton/key")


def default_file() -> Path:
    """The file named by REDBUTTON_KEY_FILE, else the service's credential `key` if it has one,
    else /etc/redbutton/key."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    credential = Path(os.environ.get(CREDENTIALS, ""), DEFAULT_FILE.name)
    found = is_credential(credential) and os.path.exists(credential)
    return credential if found else DEFAULT_FILE


def is_credential(file: Path) -> bool:
    """Whether systemd gave this file to this service alone. Its mode says nothing then: where
    access lists do the work, what looks like the group's permission is their mask (acl(5))."""
    folder = os.environ.get(CREDENTIALS)
    return bool(folder) and file.parent == Path(folder or "")


def exposed(file: Path) -> bool:
    """Whether users other than the owner may read it, by its mode and by its folders'."""
    return bool(file.stat().st_mode & 0o044) and all(
        folder.stat().st_mode & 0o011 for folder in file.resolve().parents
    )


def load_private(file: Path) -> bytes:
    """The link key, for making heartbeats: KeyUnreadable, too, if others may read the file."""
    key = load(file)
    if not is_credential(file) and exposed(file):
        raise KeyUnreadable(
            f"{file} can be read by others than its owner, who could make heartbeats with it: "
            f"chmod 600 {file}, and let `redbutton provision --new-key` make a new one"
        )
    return key


def load(file: Path, what: str = "link key", environment: str = ENVIRONMENT) -> bytes:
    """The key in `file`; KeyUnreadable says what is wrong with it."""
    try:
        text = file.read_text("ascii").strip()
    except FileNotFoundError:
        raise KeyUnreadable(
            f"no {what}: {file} does not exist (name it with --key-file or {environment})"
        ) from None
    except PermissionError:
        raise KeyUnreadable(f"no {what}: no permission to read {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnreadable(f"no {what}: {file}: {error}") from None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != wire.KEY_SIZE:
        raise KeyUnreadable(
            f"no {what}: {file} must hold {wire.KEY_SIZE * 2} hexadecimal digits, nothing else"
        )
    return key


def create(file: Path) -> bytes:
    """Make a new key in `file`, readable by its owner only."""
    key = secrets.token_bytes(wire.KEY_SIZE)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(key.hex() + "\n")
    return key


def next_file(file: Path) -> Path:
    """Where the key is that shall take the place of one. It is there: `redbutton rotate-key` was
    begun, and has not ended."""
    return file.with_name(file.name + ".next")


@contextlib.contextmanager
def replacing(file: Path, mode: int = 0o600, like: Path | None = None) -> Iterator[TextIO]:
    """A file that takes the place of `file` when all went well, and not before. It belongs to
    whom the file `like` (None: the one that is replaced) belongs to."""
    new = file.with_name(file.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "w") as out:
            _belongs_to_owner_of(handle, like or file)
            os.fchmod(handle, mode)
            yield out
            out.flush()
            os.fsync(handle)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def nacl() -> Any:
    """PyNaCl, or MissingTool."""
    try:
        import nacl.bindings  # noqa: PLC0415
        import nacl.exceptions  # noqa: PLC0415
        import nacl.signing  # noqa: PLC0415
    except ImportError:
        raise MissingTool("PyNaCl is not installed: pip install 'redbutton[sign]'") from None
    return nacl


def _belongs_to_owner_of(handle: int, file: Path) -> None:
    """Root writes for the service: what that must read stays its own."""
    with contextlib.suppress(FileNotFoundError):
        found, new = file.stat(), os.fstat(handle)
        if (found.st_uid, found.st_gid) != (new.st_uid, new.st_gid):
            os.fchown(handle, found.st_uid, found.st_gid)
