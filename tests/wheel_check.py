"""Whether `pip install redbutton` needs no compiler on a Raspberry Pi: `make wheel-check`.

Builds redbutton's wheel, and downloads it and all that it needs from the index as 64-bit Arm with
glibc would, wheels only, for each Python. Needs the index, and some minutes. Nothing is run there:
whether a wheel works is not shown.
"""

import contextlib
import email.message
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
GLIBC = 36  # Raspberry Pi OS 12; PEP 600
TAGS = ["manylinux2014_aarch64", *(f"manylinux_2_{n}_aarch64" for n in range(17, GLIBC + 1))]


def build(folder: Path) -> Path:
    """redbutton's wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def metadata(wheel: Path) -> email.message.Message:
    """What a wheel says of itself."""
    with zipfile.ZipFile(wheel) as opened:
        name = next(n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))
        return Parser().parsestr(opened.read(name).decode())


def needs(wheel: Path, python: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a wheel needs there."""
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
        "platform_machine": "aarch64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for text in metadata(wheel).get_all("Requires-Dist") or []:
        found = Requirement(text)
        if found.marker is None or any(
            found.marker.evaluate({**there, "extra": extra}) for extra in extras or {""}
        ):
            yield found


def download(wanted: Requirement, python: str, folder: Path) -> Path | None:
    """The newest wheel for there; None if there is none."""
    platforms = [option for tag in TAGS for option in ("--platform", tag)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--python-version", python),
        *(*platforms, "--dest", str(folder), f"{wanted.name}{wanted.specifier}"),
    ]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    name = canonicalize_name(wanted.name)
    with contextlib.suppress(StopIteration):
        return next(
            file
            for file in folder.glob("*.whl")
            if canonicalize_name(file.name.split("-")[0]) == name
        )
    return None


def check(own: Path, python: str) -> bool:
    """Whether everything that redbutton needs has a wheel there."""
    missing, done = [], {"redbutton"}
    todo = list(needs(own, python, frozenset()))
    with tempfile.TemporaryDirectory() as folder:
        while todo:
            wanted = todo.pop()
            if (name := canonicalize_name(wanted.name)) in done:
                continue
            done.add(name)
            wheel = download(wanted, python, Path(folder))
            if wheel is None:
                missing.append(str(wanted))
                continue
            print(f"  {python}  {wheel.name}", flush=True)
            todo += needs(wheel, python, frozenset(wanted.extras))
    print(
        f"Python {python}: {len(done) - 1} packages, "
        + (f"NO WHEEL: {', '.join(missing)}" if missing else "a wheel of each"),
        flush=True,
    )
    return not missing


def main() -> int:
    """All Pythons."""
    with tempfile.TemporaryDirectory() as folder:
        own = build(Path(folder))
        pure = own.name.endswith("-py3-none-any.whl")
        print(f"{own.name}: {'no compiled code' if pure else 'COMPILED CODE'}")
        results = [check(own, python) for python in PYTHONS]
    return 0 if pure and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
