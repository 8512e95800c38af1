"""What a controller should attest of itself: its firmware and its configuration (SR-23).

By default the firmware is the one that this package carries, and the configuration the one that
`redbutton provision` left beside the link key.
"""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError

from redbutton.errors import RedbuttonError
from redbutton.firmware import attest, wire
from redbutton.model import Frozen


class Configuration(Frozen):
    """What a lab provisions, but for the key."""

    heartbeat_timeout_ms: int
    stop_delay_ms: int
    name: str = Field(default="", max_length=wire.NAME_SIZE)

    def differences(self, found: "Configuration") -> str:
        """What is found and not as it is here, as one phrase; empty for nothing."""
        mine, theirs = self.model_dump(), found.model_dump()
        return ", ".join(
            f"{field.replace('_', ' ')} is {theirs[field]!r} and not {mine[field]!r}"
            for field in mine
            if mine[field] != theirs[field]
        )


class Record(Frozen):
    """What `redbutton provision` leaves on the host, beside the link key. No secret.

    `journal_since`: the first entry of the journal that is tagged under this key.
    """

    board: str
    key_id: str
    configuration: Configuration
    journal_since: int = 0


@dataclass(frozen=True)
class Expected:
    """What must be attested. `configuration` None: any, it is only told."""

    firmware: bytes
    configuration: Configuration | None = None


def files() -> dict[str, bytes]:
    """The firmware that this package carries, by name."""
    folder = resources.files("redbutton").joinpath("firmware")
    return {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".py")
    }


def digest(contents: dict[str, bytes]) -> bytes:
    """What a controller with exactly these files attests."""
    return attest.combine(
        (name, hashlib.sha256(content).digest()) for name, content in contents.items()
    )


def expected(key_file: Path | None = None) -> Expected:
    """This package's firmware, and what is recorded beside the key, if anything is."""
    record = load_record(key_file) if key_file else None
    return Expected(digest(files()), record.configuration if record else None)


def record_file(key_file: Path) -> Path:
    """Where the record of a key's controller is."""
    return key_file.with_name(key_file.name + ".json")


def load_record(key_file: Path) -> Record | None:
    """The record beside a key, or None if there is none; RedbuttonError if it is damaged.

    `null` is none: systemd gives a service that where there is no file (SetCredential).
    """
    file = record_file(key_file)
    try:
        content = file.read_bytes()
        return None if content == b"null" else Record.model_validate_json(content)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise RedbuttonError(
            f"{file} is not a record of `redbutton provision`: {str(error).splitlines()[0]}"
        ) from None
