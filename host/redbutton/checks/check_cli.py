"""The command `check`: verdicts on a stream of texts, plans and commands, one JSON object a line.

Every line gets a verdict, whatever it is: what cannot be read is refused.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from redbutton.errors import LinesUnreadable

if TYPE_CHECKING:
    from redbutton.checks.request import RequestCheck


def lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines of a source, none kept longer than it may be; of a longer one the beginning."""
    from redbutton.checks.request import LONGEST

    while line := source.readline(LONGEST + 2):
        if not line.endswith(b"\n") and len(line) > LONGEST:
            while (rest := source.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
        yield line.rstrip(b"\r\n")


def answer(source: BinaryIO, judge: "RequestCheck") -> Iterator[str]:
    """One line of JSON for each line, in order."""
    for line in lines(source):
        yield json.dumps(judge.judge(line).model_dump(mode="json", exclude={"hazards"}))


def check(
    file: Annotated[
        Path, typer.Argument(help="Lines of JSON; - is standard input.", show_default=False)
    ] = Path("-"),
    profile: Annotated[
        Path | None,
        typer.Option(help="The robot's profile. Without one every command of motion is refused."),
    ] = None,
) -> None:
    """Check texts, plans and commands of motion for harm, line by line.

    Reads {"text", "plan", "world", "command"} and writes {"verdict", "rule", "step", "reason"},
    both one JSON object a line. What is not understood is held, what cannot be read refused.
    """
    from redbutton.checks import meaning
    from redbutton.checks.profile import load
    from redbutton.checks.request import RequestCheck

    learned = meaning.installed()
    judge = RequestCheck(
        load(profile) if profile is not None else None, learned.judge if learned else None
    )
    if str(file) == "-":
        _write(answer(sys.stdin.buffer, judge))
        return
    try:
        with file.open("rb") as source:
            _write(answer(source, judge))
    except OSError as error:
        raise LinesUnreadable(f"{file}: {error.strerror}") from error


def _write(answers: Iterable[str]) -> None:
    for line in answers:
        print(line, flush=True)


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command(
        epilog="""Example: echo '{"plan": ["pick Knife"]}' | redbutton check""",
    )(check)
