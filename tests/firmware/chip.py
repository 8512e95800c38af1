"""Runs scripts of this folder in the real MicroPython, with the firmware on its path."""

import subprocess
from pathlib import Path

from redbutton.firmware import decide
from redbutton.virtual.board import interpreter

HERE = Path(__file__).parent
FIRMWARE = Path(decide.__file__).parent
END_S = 60.0


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """The script in an interpreter of its own, with pipes to it and from it."""
    return subprocess.Popen(
        [interpreter(), str(HERE / script), *arguments],
        env={"MICROPYPATH": f"{FIRMWARE}:.frozen"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(script: str, *arguments: str, given: str = "") -> str:
    """What the script prints for what it is given."""
    with start(script, *arguments) as process:
        return process.communicate(given, END_S)[0]
