"""Firmware that was changed."""

import hashlib
from pathlib import Path

from redbutton.virtual.board import FIRMWARE


def patched_firmware(folder: Path, name: str, old: str, new: str) -> tuple[Path, ...]:
    """The firmware with one of its files changed; boot.py takes it for sound."""
    text = (FIRMWARE / name).read_text()
    assert text.count(old) == 1
    patch = folder / "patch"
    patch.mkdir(exist_ok=True)
    (patch / name).write_text(text.replace(old, new))
    if name == "main.py":
        boot = (FIRMWARE / "boot.py").read_text()
        sums = [
            hashlib.sha256((place / name).read_bytes()).hexdigest() for place in (FIRMWARE, patch)
        ]
        (patch / "boot.py").write_text(boot.replace(*sums))
    return patch, FIRMWARE
