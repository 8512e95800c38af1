"""The commands `redbutton bench ...`."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from redbutton.bench import latency_cli, rig_cli
from redbutton.errors import FoundDangerous, ReportUnwritable, ScenarioWrong

if TYPE_CHECKING:
    from redbutton.bench.run import Moment, Plan, Result

bench_app = typer.Typer(
    no_args_is_help=True, help="Inject faults into the virtual controller, and look at the load."
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path, typer.Option(help="Folder for results; a campaign goes on there.")]
OUT = Path("campaign")
latency_cli.register(bench_app)
rig_cli.register(bench_app)


@bench_app.command("list", epilog="Example: redbutton bench list --json | jq '.faults[].name'")
def list_command(as_json: Json = False) -> None:
    """Show the scenarios and the faults that there are."""
    from redbutton.bench.faults import ELSEWHERE, FAULTS
    from redbutton.bench.scenario import shipped

    if as_json:
        scenarios = [one.model_dump(mode="json", by_alias=True) for one in shipped().values()]
        faults = [one.model_dump(mode="json") for one in FAULTS.values()]
        elsewhere = [one._asdict() for one in ELSEWHERE]
        print(json.dumps({"scenarios": scenarios, "faults": faults, "elsewhere": elsewhere}))
        return
    console = Console()
    table = Table("scenario", "what happens")
    for scenario in shipped().values():
        table.add_row(scenario.name, scenario.words)
    console.print(table)
    table = Table("fault", "where", "what", "source")
    for fault in FAULTS.values():
        table.add_row(fault.name, fault.place.value, fault.words, fault.source)
    console.print(table)
    print(
        "memory.VARIABLE.BIT: a bit of the firmware's memory flips, such as memory.decide.state.0"
    )
    table = Table("not modelled here", "tried by", "found")
    for other in ELSEWHERE:
        table.add_row(*other)
    console.print(table)


@bench_app.command(
    "run", epilog="Example: redbutton bench run button --fault relay_1.stuck-closed@150"
)
def run_command(
    scenario: Annotated[str, typer.Argument(help="Its name, or a YAML file.")],
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="FAULT@MS, or FAULT@MS..LASTS: from a moment on, -1 is from power-up on."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is left to chance.")] = 1,
    port: rig_cli.Port = None,
    probe: rig_cli.ProbePort = None,
    key_file: rig_cli.KeyFile = None,
    as_json: Json = False,
) -> None:
    """Carry out one scenario, with faults or without, and show what the load did.

    With --port on a real controller, in real time; --probe names the board that holds its
    contacts and times its load.
    """
    from redbutton.bench.run import parse

    rig_cli.require_port(port, probe)

    text = f"{Path(scenario).stem}:{'+'.join(fault or []) or 'none'}:{seed}"
    try:
        plan = parse(text)
    except ValueError:
        raise ScenarioWrong(f"no fault at a moment: {', '.join(fault or [])}") from None
    if port is None:
        _show(scenario, plan, as_json)
        return
    from redbutton.bench.scenario import named

    with _known_faults():
        rig_cli.run_on_port(named(scenario), plan, port, probe, key_file, as_json)


@contextlib.contextmanager
def _known_faults() -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise ScenarioWrong(
            f"there is no fault {error.args[0]}: see redbutton bench list"
        ) from None


@bench_app.command("replay", epilog="Example: redbutton bench replay button:link.loss@299:1")
def replay(
    run: Annotated[str, typer.Argument(help="A run, as campaigns and reports name it.")],
    as_json: Json = False,
) -> None:
    """Carry out a run of a campaign once more: the same trace, byte for byte."""
    from redbutton.bench.run import parse

    try:
        plan = parse(run)
    except ValueError:
        raise ScenarioWrong(f"{run}: no run: SCENARIO:FAULT@MS:SEED") from None
    _show(plan.scenario, plan, as_json)


def _show(name: str, plan: "Plan", as_json: bool) -> None:
    from redbutton.bench.run import Outcome, run
    from redbutton.bench.scenario import named

    scenario = named(name)
    with _known_faults():
        result, trace = run(scenario, plan)
    if as_json:
        moments = [moment._asdict() for moment in trace]
        print(json.dumps({**result.model_dump(mode="json"), "trace": moments}))
    else:
        _print_run(result, trace)
    if result.outcome is Outcome.DANGEROUS:
        raise FoundDangerous(f"{plan.id}: {result.words}")


def _print_run(result: "Result", trace: "Iterable[Moment]") -> None:
    console = Console()
    table = Table("ms", "signal", "", title=result.plan.id)
    for us, signal, value in trace:
        if us >= 0 and signal not in ("k1_pulses", "watchdog", "drive_1"):
            style = "bold" if signal in ("load", "state") else ""
            table.add_row(f"{us / 1000:.3f}", signal, value, style=style)
    console.print(table)
    console.print(f"{result.outcome.value}: {result.words}", highlight=False)
    if result.stop_ms is not None:
        console.print(f"load off {result.stop_ms:.3f} ms after the demand (modelled)")
    console.print(f"trace {result.digest}", highlight=False)


@bench_app.command(epilog="Example: redbutton bench campaign --out campaign --pairs 2000")
def campaign(
    out: Out = OUT,
    seed: Annotated[int, typer.Option(help="Of all that is left to chance.")] = 1,
    instants: Annotated[
        int, typer.Option(min=0, help="At random, for each fault in each scenario.")
    ] = 1,
    pairs: Annotated[int, typer.Option(min=0, help="Runs with two faults, at random.")] = 300,
    memory: Annotated[bool, typer.Option(help="Flip every bit of the firmware too.")] = True,
    limit: Annotated[int, typer.Option(help="At most so many runs; 0: all.")] = 0,
    port: rig_cli.Port = None,
    probe: rig_cli.ProbePort = None,
    key_file: rig_cli.KeyFile = None,
    as_json: Json = False,
) -> None:
    """Carry out every scenario with every fault, at many instants, on all cores.

    With --port on a real controller, in real time: what software and, with --probe, contacts can
    cause, after a selftest of the rig. What they cannot cause is listed with the reason.
    """
    from redbutton.bench import campaign as campaigns
    from redbutton.bench.junit import junit
    from redbutton.bench.run import Outcome

    rig_cli.require_port(port, probe)
    asked = campaigns.Campaign(
        seed=seed,
        instants=instants,
        pairs=pairs,
        memory=memory,
        firmware=campaigns.firmware_digest(),
    )
    if port is not None:
        rig_cli.campaign_on_port(out, asked, limit, port, probe, key_file, as_json)
        return
    store = campaigns.Store(out, asked)
    done = {one.plan.id for one in store.results}
    every = list(campaigns.plans(asked))[: limit or None]
    todo = [plan for plan in every if plan.id not in done]
    began = time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("runs", total=len(every), completed=len(every) - len(todo))
        for result in campaigns.carry_out(todo):
            store.add(result)
            progress.advance(task)
            if result.outcome is Outcome.DANGEROUS:
                progress.console.print(f"dangerous: {result.plan.id}: {result.words}")
    speed = campaigns.Speed.of(len(todo), time.monotonic() - began)
    text = campaigns.summary(asked, store.results, speed)
    (out / campaigns.SUMMARY).write_text(text + "\n")
    (out / "junit.xml").write_text(junit(store.results))
    if as_json:
        print(text)
    else:
        for outcome, count in campaigns.counted(store.results).items():
            print(f"{count:7} {outcome.value}")
        if todo:
            print(speed.words())
    single = [one for one in store.results if len(one.plan.faults) < 2]
    if found := campaigns.counted(single)[Outcome.DANGEROUS]:
        raise FoundDangerous(
            f"{found} runs with one fault were dangerous: see {out / campaigns.SUMMARY}"
        )


@bench_app.command(epilog="Example: redbutton bench report campaign --pdf report.pdf")
def report(
    folder: Annotated[Path, typer.Argument(help="A campaign's results.")] = OUT,
    out: Annotated[Path, typer.Option(help="HTML, one file that needs no other.")] = Path(
        "report.html"
    ),
    pdf: Annotated[Path | None, typer.Option(help="The same on paper.")] = None,
    as_json: Json = False,
) -> None:
    """Write what a campaign found: for people as HTML and PDF, for programs as JSON."""
    from redbutton.bench.report import as_json as for_programs
    from redbutton.bench.report import gather, verdict
    from redbutton.bench.report_html import html
    from redbutton.bench.report_pdf import require, write

    if pdf:
        require()
    found = gather(folder)
    _write(out, html(found).encode())
    if pdf:
        _write(pdf, write(found))
    if as_json:
        print(json.dumps(for_programs(found), indent=1))
    else:
        print("\n".join([*verdict(found), f"written: {out}" + (f", {pdf}" if pdf else "")]))


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise ReportUnwritable(f"{file}: {error.strerror}") from None


@bench_app.command(epilog="Example: redbutton bench planted no-latch weld-ignored")
def planted(
    names: Annotated[list[str] | None, typer.Argument(help="Defects; all, if none.")] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="At most so many runs for each; 0: all, some hundreds.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Plant defects into a copy of the firmware, and say which run finds each.

    The runs are those of a campaign with one scenario's faults at three moments, after every
    scenario without a fault. Exit code 1 if one was not found.
    """
    from redbutton.bench import planted as defects

    unknown = set(names or []) - set(defects.DEFECTS)
    if unknown:
        known = ", ".join(defects.DEFECTS)
        raise typer.BadParameter(f"no such defect: {min(unknown)}. There are {known}")
    missed = False
    for name in names or defects.DEFECTS:
        with tempfile.TemporaryDirectory(prefix="redbutton-") as folder:
            plans = islice(defects.plans(), limit or None)
            found = defects.find(defects.DEFECTS[name], plans, Path(folder))
        missed = missed or found.plan is None
        run = found.plan.id if found.plan else None
        if as_json:
            print(json.dumps({"defect": name, "run": run, "runs": found.runs}), flush=True)
        else:
            print(f"{name:28} {run or 'not found'} ({found.runs} runs)", flush=True)
    if missed:
        raise typer.Exit(1)
