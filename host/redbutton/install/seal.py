"""A first line by which a file that `redbutton install` wrote tells whether people changed it."""

import hashlib
import re
from enum import Enum
from pathlib import Path

from redbutton import __version__

SEAL = re.compile(r"# Written by `redbutton install` (\S+), sha256 ([0-9a-f]{64})")


class Standing(Enum):
    """What a file is, beside what it should be."""

    MISSING = "missing"
    SAME = "as it should be"
    OUTDATED = "of another version of redbutton, or filled in otherwise"
    CHANGED = "changed by hand"


def seal(text: str) -> str:
    """The text, with its seal before it. Comments of all these files begin with #."""
    return f"# Written by `redbutton install` {__version__}, sha256 {_digest(text)}\n{text}"


def standing(file: Path, wanted: str) -> Standing:
    """Of a file that should hold the sealed text `wanted`. OSError if it cannot be read."""
    try:
        found = file.read_text("utf-8", "replace")
    except FileNotFoundError:
        return Standing.MISSING
    if found == wanted:
        return Standing.SAME
    return Standing.OUTDATED if untouched(found) else Standing.CHANGED


def untouched(text: str) -> bool:
    """Whether it is still what `redbutton install` wrote once."""
    first, _, rest = text.partition("\n")
    sealed = SEAL.fullmatch(first)
    return sealed is not None and sealed[2] == _digest(rest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
