"""The bench on a controller on a port: `redbutton bench run | campaign | selftest --port ...`."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from redbutton.errors import CannotCause, FoundDangerous, ReportUnwritable, RigFailed

if TYPE_CHECKING:
    from redbutton.bench.campaign import Campaign
    from redbutton.bench.real import RealRig
    from redbutton.bench.run import Moment, Plan, Result
    from redbutton.bench.scenario import Scenario
    from redbutton.bench.selftest import Selftest

RETRIES = 3  # of a run that shows nothing

PORT = typer.Option("--port", "-p", help="Of a real controller, on a bench and on no robot.")
PROBE = typer.Option(
    "--probe",
    help="Port of the probe that holds its contacts (hardware/). Without it software does what it"
    " can, and the controller's own mirror contacts are believed.",
)
KEY_FILE = typer.Option(
    "--key-file", "-k", help="The link key. Default: $REDBUTTON_KEY_FILE, else /etc/redbutton/key."
)
Port = Annotated[str | None, PORT]
ProbePort = Annotated[str | None, PROBE]
KeyFile = Annotated[Path | None, KEY_FILE]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(bench_app: typer.Typer) -> None:
    """Add the commands that only a real controller has."""
    bench_app.command(
        "selftest",
        epilog="Example: redbutton bench selftest --port /dev/redbutton --probe /dev/ttyACM1",
    )(selftest_command)
    bench_app.command(
        "probe-firmware", epilog="Example: redbutton bench probe-firmware probe-files"
    )(probe_firmware)


@contextlib.contextmanager
def rig_on(port: str, probe: str | None, key_file: Path | None) -> Iterator["RealRig"]:
    """A rig, with the probe if there is one."""
    from redbutton import key
    from redbutton.bench.probe import Probe
    from redbutton.bench.real import RealRig

    keys = key_file or key.default_file()
    key.load(keys)
    with contextlib.ExitStack() as stack:
        open_probe = stack.enter_context(Probe(probe)) if probe else None
        yield stack.enter_context(RealRig(port, keys, open_probe, say=_say))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def require_port(port: str | None, probe: str | None) -> None:
    """A probe alone is no rig."""
    if probe and not port:
        raise typer.BadParameter("--probe needs the --port of the controller that it is wired to")


# --- selftest


def selftest_command(
    port: Annotated[str, PORT],
    probe: Annotated[str, typer.Option("--probe", help="Port of the probe (hardware/).")],
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Prove the rig before the controller: every wire, the clocks, the probe's fail-safe.

    Never on a robot: the controller is brought to RUN. What is wrong is named, by the wires of
    hardware/probe.yaml.
    """
    with rig_on(port, probe, key_file) as rig:
        found = _tested(rig)
    if as_json:
        print(found.model_dump_json())
    else:
        _print_selftest(found)
    found.require()


def _tested(rig: "RealRig") -> "Selftest":
    from redbutton.bench.selftest import selftest

    assert rig.probe
    return selftest(rig, rig.probe)


def _print_selftest(found: "Selftest") -> None:
    table = Table("check", "", "what was seen", box=None)
    for check in found.checks:
        style = "bold red" if check.wires else ""
        table.add_row(check.name, "WRONG" if check.wires else "ok", check.words, style=style)
    console = Console(highlight=False)
    console.print(table)
    if found.path_ms:
        half, most = found.path_ms
        print(f"the probe's own path: {half:.3f} ms in half of the moves, {most:.3f} ms at most")
    if found.silence_ms is not None:
        print(f"host silent: everything released after {found.silence_ms:.0f} ms")
    if not found.wrong:
        print("the rig is as it should be")


# --- one run


def run_on_port(
    scenario: "Scenario",
    plan: "Plan",
    port: str,
    probe: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Carry out one run on a controller on a port, and show it."""
    from redbutton.bench.real import possible
    from redbutton.bench.run import Outcome

    possible(scenario, plan, probe is not None)
    with rig_on(port, probe, key_file) as rig:
        result, trace = _carried_out(rig, scenario, plan)
    if as_json:
        moments = [moment._asdict() for moment in trace]
        print(json.dumps({**result.model_dump(mode="json"), "trace": moments}))
    else:
        _print_run(result, trace, probe)
    if result.outcome is Outcome.DANGEROUS:
        raise FoundDangerous(f"{plan.id}: {result.words}")


def _carried_out(
    rig: "RealRig", scenario: "Scenario", plan: "Plan"
) -> "tuple[Result, list[Moment]]":
    from redbutton.bench.real import run

    for again in range(RETRIES):
        try:
            return run(rig, scenario, plan)
        except RigFailed as error:
            if again == RETRIES - 1:
                raise RigFailed(f"{plan.id}: {error}") from None
    raise AssertionError


def _print_run(result: "Result", trace: "list[Moment]", probe: str | None) -> None:
    console = Console(highlight=False)
    table = Table("ms", "signal", "", title=f"{result.plan.id}, in real time")
    for us, signal, value in trace:
        if us >= 0:
            style = "bold" if signal in ("load", "state") else ""
            table.add_row(f"{us / 1000:.3f}", signal, value, style=style)
    console.print(table)
    console.print(f"{result.outcome.value}: {result.words}")
    if result.stop_ms is not None:
        by = "by the probe" if probe else "by the controller's mirror contacts, no probe"
        console.print(f"load off {result.stop_ms:.3f} ms after the demand (measured {by})")


# --- a campaign


def campaign_on_port(
    out: Path,
    asked: "Campaign",
    limit: int,
    port: str,
    probe: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Prove the rig, then carry out all that it can cause, one after the other, in real time."""
    from redbutton.bench import campaign as campaigns
    from redbutton.bench.faults import FAULTS
    from redbutton.bench.junit import junit
    from redbutton.bench.real import causable
    from redbutton.bench.run import Outcome
    from redbutton.bench.scenario import shipped

    scenarios, faults, why = causable(
        list(shipped().values()), list(FAULTS.values()), probe is not None
    )
    chosen = asked.scenarios or [one.name for one in scenarios]
    asked = asked.model_copy(
        update={
            "memory": False,
            "scenarios": tuple(one.name for one in scenarios if one.name in chosen),
            "faults": tuple(one.name for one in faults),
            "firmware": f"{asked.firmware} on a controller, "
            + ("timed by the probe" if probe else "measured by the controller, no probe"),
        }
    )
    with rig_on(port, probe, key_file) as rig:
        if rig.probe is not None:
            tested = _tested(rig)
            _keep(out, "selftest.json", tested.model_dump_json(indent=1))
            tested.require()
            _say("the rig is as it should be")
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
            for plan in todo:
                try:
                    result, _ = _carried_out(rig, shipped()[plan.scenario], plan)
                except (CannotCause, RigFailed) as error:
                    why.append(str(error))
                    progress.console.print(str(error), highlight=False)
                else:
                    store.add(result)
                    if result.outcome is Outcome.DANGEROUS:
                        progress.console.print(f"dangerous: {result.plan.id}: {result.words}")
                progress.advance(task)
    why = list(dict.fromkeys(why))
    speed = campaigns.Speed.of(len(todo), time.monotonic() - began)
    text = json.dumps(
        {
            "clock": "real",
            "not_caused": why,
            **json.loads(campaigns.summary(asked, store.results, speed)),
        },
        indent=1,
    )
    _keep(out, "campaign.json", text)
    _keep(out, "junit.xml", junit(store.results))
    if as_json:
        print(text)
    else:
        for outcome, count in campaigns.counted(store.results).items():
            print(f"{count:7} {outcome.value}")
        print(f"{len(why):7} not caused: see {out / 'campaign.json'}")
        print(f"{len(todo)} runs in {time.monotonic() - began:.0f} s, in real time")
    single = [one for one in store.results if len(one.plan.faults) < 2]
    if found := campaigns.counted(single)[Outcome.DANGEROUS]:
        raise FoundDangerous(
            f"{found} runs with one fault were dangerous: see {out / 'campaign.json'}"
        )


def _keep(out: Path, name: str, text: str) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text + "\n")
    except OSError as error:
        raise ReportUnwritable(f"{out / name}: {error.strerror}") from None


def probe_firmware(
    folder: Annotated[Path, typer.Argument(help="Where to put the files.")],
) -> None:
    """Write the probe's firmware into a folder, to be copied onto the second Pico.

    It is not the controller's, and no controller takes it.
    """
    from redbutton.virtual.probe import files

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files().items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise ReportUnwritable(f"{folder}: {error.strerror}") from None
    print(f"{folder}: written. With MicroPython 1.23 or later on the second Pico, and no harness:")
    print(f"mpremote connect PORT fs cp {folder}/*.py : + reset")
