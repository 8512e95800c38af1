"""What `redbutton verify` does and says."""

import json
import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from redbutton.firmware import decide
from redbutton.verify.rules import FOREVER, Letter, State
from redbutton.verify.search import Found, Task, replay, run
from redbutton.verify.seeds import BUGS
from redbutton.verify.source import COARSE, LIMITS, SMALL, TINY, scale

EXACT = (
    "The code is the text of firmware/decide.py; only the numbers of its limits are smaller.",
    "From power-up every state is visited, and in each every combination of the inputs, every age "
    "of a heartbeat that makes a difference, and ticks of 0 ms, of a good length, just too late, "
    "and backwards or without end. Nothing is assumed of the plant: each mirror contact may open "
    "and close in any tick. The heartbeat's timeout is the shortest.",
    "After each tick a monitor written from the requirements, with clocks of its own, is asked.",
)
CHECKED = (
    "Inputs with the same effect are one class (a stop is a stop, whichever it is). A state is "
    "all memory but the record (causes, counters) and what a timer counts beyond its last limit. "
    "In each state, for each class, another member is thrown with dice and must do the same.",
)
ARGUED = (
    "The small limits lose nothing. Each timer is compared with its own limits only, never with "
    "another timer, and stops counting at a maximum; so what a tick does depends only on which of "
    "its limits each timer has reached. A limit n becomes the whole part of its logarithm, at "
    "least 1: that keeps the order of the limits, and merges times between which nothing is "
    "compared.",
    "Evidence: limits counted finer, and random walks with the real limits, reach no shape of a "
    "state (which limits are reached, what runs) and no trigger that the coarse search has not. "
    "Coarse limits may let it reach more: then more is checked than can happen.",
)
NOT_COVERED = (
    "The loop, the board and the link around decide.py; corrupted memory; and single ms only as "
    "far as argued above: tests/firmware tries those at the edges of the real limits.",
)

_done: "Synchronized[int]"


def _begin(done: "Synchronized[int]") -> None:
    """A worker ends with its parent, silently."""
    global _done
    _done = done
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _tell(transitions: int) -> None:
    with _done:
        _done.value += transitions


def _work(task: Task) -> Found:
    """A task; a bug that the smallest limits hide is looked for with larger ones."""
    found = run(task, _tell)
    for base in (SMALL, COARSE):
        if task.bug and not found.violation:
            found = run(replace(task, base=base), _tell)
    return found


def work(tasks: list[Task], show: bool, jobs: int = 2) -> Iterator[Found]:
    """All tasks, in processes of their own; with a progress bar."""
    done: Synchronized[int] = multiprocessing.Value("q", 0)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(
            "{task.completed} of {task.total} searches, {task.fields[transitions]:,} steps"
        ),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not show,
    )
    with bar, multiprocessing.Pool(jobs, _begin, (done,)) as pool:
        row = bar.add_task("verify", total=len(tasks), transitions=0)
        results = pool.imap(_work, tasks)
        for _ in tasks:
            while True:
                try:
                    found = results.next(0.2)
                    break
                except multiprocessing.TimeoutError:
                    bar.update(row, transitions=done.value)
            bar.update(row, advance=1, transitions=done.value)
            yield found


def plan(fine: int, ticks: int) -> list[Task]:
    """The searches and walks of a verification, the longest first."""
    return [
        Task(COARSE, twins=True),
        Task(fine),
        Task(COARSE, delay=0),
        Task(COARSE, person=False, twins=True),
        *(Task(0, seed=seed, ticks=ticks) for seed in (1, 2)),
    ]


def beyond(results: list[Found]) -> list[str]:
    """What others have reached and the coarse search has not: none, if the argument holds."""
    coarse: set[State] = set()
    fired: set[tuple[str, str]] = set()
    for found in results:
        if found.task.base == COARSE:
            coarse |= found.shapes
            fired |= found.fired
    return [
        f"{found.task.name} reaches {len(found.shapes - coarse)} more shapes, "
        f"{len(found.fired - fired)} more triggers"
        for found in results
        if found.shapes - coarse or found.fired - fired
    ]


def verify(console: Console, as_json: bool, fine: int, ticks: int) -> int:
    """Verify the decision; 0 if all requirements hold, else 1."""
    begin = time.monotonic()
    results = []
    for found in work(plan(fine, ticks), sys.stderr.isatty() and not as_json):
        results.append(found)
        if found.violation:
            break
    broken = next((found for found in results if found.violation), None)
    missed = [] if broken else beyond(results)
    if as_json:
        print(json.dumps(_as_json(results, missed, time.monotonic() - begin)))
        return int(bool(broken or missed))
    _tell_results(console, results)
    if broken:
        _tell_violation(console, broken)
        return 1
    limits = ", ".join(
        f"{name} {getattr(decide, name)} as {scale(getattr(decide, name), COARSE)}"
        for name in LIMITS
    )
    grid = Table.grid(padding=(0, 2))
    for heading, lines in (
        ("exact", EXACT),
        ("checked", CHECKED),
        ("argued", ARGUED),
        ("not covered", NOT_COVERED),
        ("coarse limits", (limits,)),
    ):
        for line in lines:
            grid.add_row(f"[bold]{heading}[/]", escape(line))
    console.print(grid)
    for line in missed:
        console.print(f"[bold red]the argument does not hold:[/] {escape(line)}")
    total = sum(found.transitions + found.twins for found in results)
    console.print(
        f"[{'red' if missed else 'green'}]"
        f"{sum(found.states for found in results)} states, {total} transitions, "
        f"{time.monotonic() - begin:.0f} s: no requirement is violated[/]"
    )
    return int(bool(missed))


def _tell_results(console: Console, results: list[Found]) -> None:
    table = Table(
        "search", title="Every reachable state of firmware/decide.py", title_justify="left"
    )
    for column in ("states", "transitions", "twins", "shapes", "triggers", "time", "violations"):
        table.add_column(column, justify="right")
    for found in results:
        table.add_row(
            found.task.name,
            f"{found.states or '-'}",
            f"{found.transitions}",
            f"{found.twins or '-'}",
            f"{len(found.shapes)}",
            f"{len(found.fired)}",
            f"{found.seconds:.1f} s",
            found.violation[0] if found.violation else "none",
        )
    console.print(table)


def words(letter: Letter) -> str:
    """The inputs of a tick as a person would say them: what is not as in good order at rest."""
    elapsed, inputs, heartbeat = letter
    said = [] if elapsed == 1 else [f"{elapsed} ms since the last tick"]
    if elapsed < 0 or elapsed >= FOREVER:
        said = ["time that cannot be right"]
    for bit, name in enumerate(decide.INPUT_NAMES):
        closed, text = inputs >> bit & 1, name.replace("_", " ")
        if name.startswith(("contact", "mirror")):
            said += [] if closed else [f"{text} open"]
        elif name in ("supply", "link_key", "interrupts"):
            said += [] if closed else [f"no {text}"]
        elif closed:
            said.append(text)
    said.append("no heartbeat" if heartbeat < 0 else f"heartbeat {heartbeat} ms old")
    return ", ".join(said)


def outputs_in_words(outputs: int) -> str:
    """The names of the outputs that are on."""
    names = ("K1", "K2", "K1_LEVEL", "K1_STARVED", "WATCHDOG_STARVED")
    return " ".join(name for name in names if outputs & getattr(decide, name)) or "-"


def _rows(found: Found) -> list[tuple[str, str, str, str, str]]:
    """The path as rows of a table; equal ticks in a row are one."""
    rows: list[tuple[str, str, str, str, str]] = []
    begin = 0
    for number, row in enumerate(replay(found.task, found.path)[0], 1):
        causes = (name for bit, (name, _) in enumerate(decide.CAUSES) if row.present >> bit & 1)
        said = (
            words(row.letter),
            row.state,
            outputs_in_words(row.outputs),
            ", ".join(causes) or "-",
        )
        if rows and rows[-1][1:] == said:
            rows[-1] = (f"{begin}-{number}", *said)
        else:
            begin = number
            rows.append((f"{number}", *said))
    return rows


def _tell_violation(console: Console, found: Found) -> None:
    """The shortest path to it, tick by tick."""
    assert found.violation
    console.print(f"[bold red]{escape(': '.join(found.violation))}[/]")
    if not found.path:
        return
    base = found.task.base
    numbers = f"small limits: logarithms to base {base}" if base else "real limits"
    table = Table(title=f"The shortest path from power-up, {len(found.path)} ticks ({numbers})")
    for column in ("tick", "inputs", "state", "outputs", "present causes"):
        table.add_column(column)
    for row in _rows(found):
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _violation_as_json(found: Found) -> dict[str, Any] | None:
    if not found.violation:
        return None
    keys = ("tick", "inputs", "state", "outputs", "present")
    return {
        "requirement": found.violation[0],
        "text": found.violation[1],
        "ticks": len(found.path),
        "path": [dict(zip(keys, row, strict=True)) for row in _rows(found)],
    }


def _as_json(results: list[Found], missed: list[str], seconds: float) -> dict[str, Any]:
    return {
        "holds": not missed and not any(found.violation for found in results),
        "states": sum(found.states for found in results),
        "transitions": sum(found.transitions + found.twins for found in results),
        "seconds": round(seconds, 2),
        "searches": [
            {
                "name": found.task.name,
                "states": found.states,
                "transitions": found.transitions,
                "twins": found.twins,
                "shapes": len(found.shapes),
                "triggers": sorted(" in ".join(pair[::-1]) for pair in found.fired),
                "seconds": round(found.seconds, 2),
                "violation": _violation_as_json(found),
            }
            for found in results
        ],
        "beyond_coarse": missed,
        "exact": EXACT,
        "checked": CHECKED,
        "argued": ARGUED,
        "not_covered": NOT_COVERED,
    }


def find_bugs(console: Console, as_json: bool, names: list[str]) -> int:
    """Plant each bug and look for it; 0 if all are found, else 1."""
    tasks = [Task(TINY, twins=True, bug=name) for name in names]
    results = list(work(tasks, sys.stderr.isatty() and not as_json))
    if as_json:
        for found in results:
            assert found.task.bug
            line = {
                "bug": found.task.bug,
                "what": BUGS[found.task.bug].what,
                "found": bool(found.violation),
                "states": found.states,
                "transitions": found.transitions + found.twins,
                "seconds": round(found.seconds, 2),
                "violation": _violation_as_json(found),
            }
            print(json.dumps(line))
    elif len(results) == 1 and results[0].violation:
        console.print(f"seeded: {escape(BUGS[names[0]].what)}")
        _tell_violation(console, results[0])
    else:
        table = Table("seeded bug", "what", "found as", title=f"{len(names)} seeded bugs")
        table.add_column("ticks", justify="right")
        table.add_column("states", justify="right")
        table.add_column("time", justify="right")
        for found in results:
            assert found.task.bug
            table.add_row(
                found.task.bug,
                BUGS[found.task.bug].what,
                ": ".join(found.violation) if found.violation else "[bold red]not found[/]",
                f"{len(found.path)}",
                f"{found.states}",
                f"{found.seconds:.1f} s",
            )
        console.print(table)
    return int(not all(found.violation for found in results))
