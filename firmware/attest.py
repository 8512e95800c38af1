"""The measure of the firmware: one digest over every file on the flash (SR-23).

It is taken once, when the chip starts: of what was loaded, before a host can be heard. Both ends
share `combine`, so that the host can say beforehand what it must be.
"""

import hashlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What the controller writes while it works, and what a lab provisions: told apart, not measured.
DATA = ["settings.json", "lockout"] + [f"entries/{i}" for i in range(8)]

FOLDER = 0x4000  # type of a directory entry
CHUNK = 512

measured = b""  # by `measure`


def measure() -> None:
    """Take the measure."""
    global measured
    measured = combine(entries())


def combine(files: "Iterable[tuple[str, bytes]]") -> bytes:
    """The digest over the name and the SHA-256 of every file, in whatever order they come."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(name.encode() + b"\0" + content)
    return total.digest()


def entries(folder: str = "") -> "list[tuple[str, bytes]]":
    """Every file on the flash but DATA, in folders too."""
    found = []
    for entry in os.ilistdir(folder or "."):
        name = folder + entry[0]
        if entry[1] == FOLDER:
            found += entries(name + "/")
        elif name not in DATA:
            found.append((name, sha256(name)))
    return found


def sha256(name: str) -> bytes:
    """Of a file's content."""
    digest = hashlib.sha256()
    chunk = bytearray(CHUNK)
    view = memoryview(chunk)
    with open(name, "rb") as file:
        while True:
            count = file.readinto(chunk)
            if not count:
                return digest.digest()
            digest.update(view[:count])
