"""The command `redbutton bench latency`."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from redbutton.errors import FoundDangerous, NoContact

if TYPE_CHECKING:
    from collections.abc import Generator

    from redbutton.bench.latency import Clock, Kind, Stop

    Source = tuple[Clock, int, Generator[tuple[Kind, Stop | None]]]

WIDTH = 110  # characters, where nobody looks


def latency(
    n: Annotated[int, typer.Option("--n", min=1, help="Of each kind, in virtual time.")] = 1000,
    real_n: Annotated[
        int, typer.Option(min=1, help="Of each kind, in real time: seconds each.")
    ] = 50,
    real: Annotated[
        bool | None, typer.Option("--real/--virtual", help="By one clock. Default: by both.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the moments at which stops are demanded.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for latency.json and latency.svg.")
    ] = None,
) -> None:
    """Measure how long stops take until the load is off: button, lost heartbeat, request.

    In virtual time, exact, with the budget of each stage; and in real time, with the real
    processes. The relays are a model. After Ctrl-C it reports what it has.
    """
    from redbutton.bench import latency as measuring
    from redbutton.bench import latency_report as report

    kinds = len(measuring.Kind)
    sources: list[Source] = []
    if not real:
        sources.append((measuring.Clock.VIRTUAL, n * kinds, measuring.virtual(n, seed)))
    if real is not False:
        sources.append((measuring.Clock.REAL, real_n * kinds, measuring.real(real_n, seed)))
    stops, repeated, ended = _collect(sources)
    found = [
        measuring.figures(kind, clock, stops[kind, clock])
        for kind in measuring.Kind
        for clock in measuring.Clock
        if (kind, clock) in stops
    ]
    text = report.document(seed, found, repeated)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "latency.json").write_text(text + "\n")
        (out / "latency.svg").write_text(report.picture(found))
    if as_json:
        print(text)
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDTH)
        report.show(console, found, repeated)
    if stayed_on := sum(one.stayed_on for one in found):
        raise FoundDangerous(f"the load stayed on after {stayed_on} demands to stop")
    if ended is not None:
        raise ended


def _collect(
    sources: "list[Source]",
) -> "tuple[dict[tuple[Kind, Clock], list[Stop]], int, BaseException | None]":
    """The stops; how many were made again; and what ended it early: Ctrl-C, or no contact."""
    stops: dict[tuple[Kind, Clock], list[Stop]] = {}
    repeated = 0
    with (
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as progress,
        contextlib.ExitStack() as generators,
    ):
        for _, _, source in sources:
            generators.callback(source.close)
        try:
            for clock, total, source in sources:
                task = progress.add_task(f"stops in {clock.value} time", total=total)
                for kind, stop in source:
                    if stop is None:
                        repeated += 1
                    else:
                        stops.setdefault((kind, clock), []).append(stop)
                        progress.advance(task)
        except (KeyboardInterrupt, NoContact) as early:
            return stops, repeated, early
    return stops, repeated, None


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command(epilog="Example: redbutton bench latency --virtual --n 100 --out latency")(latency)
