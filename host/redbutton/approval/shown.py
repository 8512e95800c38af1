"""What people are shown of a held command. What comes from a planner is data: it is shown as it
is, and can neither colour, move nor hide anything on the screen."""

import difflib
import json
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from redbutton.approval.desk import Waiting
from redbutton.plain import plain

if TYPE_CHECKING:
    from redbutton.checks.profile import RobotProfile


def lines_of(command: str) -> list[str]:
    """All of a command for a person: a line for each key, and none that its text begins."""
    return [plain(f"{_text(key)}: {_text(value)}") for key, value in json.loads(command).items()]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def countdown(left_s: float) -> str:
    """Minutes and seconds, rounded down."""
    left = max(0, int(left_s))
    return f"{left // 60}:{left % 60:02d}"


class Progress(NamedTuple):
    """How far one quorum is: who of it has approved, and how many more of whom are needed."""

    what: str
    needed: int
    approved_by: tuple[str, ...]
    missing: int
    missing_of: tuple[str, ...]


def progress(waiting: Waiting) -> list[Progress]:
    """Of each quorum of a held command."""
    found = []
    for quorum in waiting.held.quorums:
        names = quorum.approved_by(waiting.approved_by)
        others = tuple(name for name in quorum.names if name not in names)
        missing = quorum.missing(names)
        found.append(Progress(quorum.what, quorum.k, names, missing, others if missing else ()))
    return found


def _line(one: Progress) -> str:
    names = f" ({', '.join(one.approved_by)})" if one.approved_by else ""
    more = f", needs {one.missing} more of {', '.join(one.missing_of)}" if one.missing else ""
    return plain(f"{one.what}: {len(one.approved_by)} of {one.needed}{names}{more}")


def panel(waiting: Waiting) -> Panel:
    """One held command: what it would do, why it is held, who has approved, and the time left."""
    held = waiting.held
    verdict = held.verdict
    step = "" if verdict.step is None else f"step {verdict.step}: "
    rule = f" ({verdict.rule})" if verdict.rule else ""
    body = Table.grid(padding=(0, 2))  # a column of its own: no text can pass for a label
    body.add_column(style="dim", no_wrap=True)
    body.add_column(overflow="fold")
    body.add_row("command", Text("\n".join(lines_of(held.command))))
    body.add_row(
        "held because",
        Text(plain(step + (verdict.reason or "a rule asks for a person") + rule), "yellow"),
    )
    body.add_row("approved by", Text("\n".join(map(_line, progress(waiting)))))
    body.add_row(
        "time left", Text(countdown(waiting.left_s), "red" if waiting.left_s < 10 else "")
    )
    return Panel(body, title=Text(held.id, "bold"), title_align="left")


def differences(before: "RobotProfile", after: "RobotProfile") -> list[str]:
    """What changes from one profile to another, line by line, each after - or +."""
    import yaml  # noqa: PLC0415

    old, new = (
        yaml.safe_dump(one.model_dump(mode="json", by_alias=True), allow_unicode=True)
        for one in (before, after)
    )
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), "in force", "to be", "", "", 2
    )
    return [plain(line.rstrip("\n")) for line in lines]


def panels(all_waiting: tuple[Waiting, ...]) -> RenderableType:
    """All that is held."""
    if not all_waiting:
        return Text("nothing is held")
    return Group(*(panel(waiting) for waiting in all_waiting))
