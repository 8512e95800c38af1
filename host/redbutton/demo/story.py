"""`redbutton demo`: the main job, told as a timeline with measured times."""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from redbutton.demo import attacks
from redbutton.demo.stage import Stage, own_domain, ros_is_here
from redbutton.local import Client, StopRequest, socket_path
from redbutton.virtual.board import Change

LOAD_TIMEOUT_S = 2.0
SPEED = 0.3


@dataclass
class Story:
    """Says what happens, and remembers what was not as it must be."""

    console: Console
    as_json: bool
    begin: float = field(default_factory=time.monotonic)
    wrong: list[str] = field(default_factory=list)
    stops: list[tuple[str, float, float | None]] = field(default_factory=list)
    attempts: list[tuple[str, str, bool]] = field(default_factory=list)

    def say(self, who: str, text: str, colour: str = "white") -> None:
        """One line of the timeline."""
        at = time.monotonic() - self.begin
        if self.as_json:
            print(json.dumps({"t": round(at, 4), "who": who, "text": text}), flush=True)
            return
        self.console.print(
            f"[dim]{at:8.3f} s[/dim]  [{colour}]{who:<10}[/]  {escape(text)}", soft_wrap=True
        )

    def expect(self, fact: bool, text: str) -> None:
        """A thing that must be so; said either way."""
        self.say("load", text if fact else f"NOT SO: {text}", "green" if fact else "bold red")
        if not fact:
            self.wrong.append(text)


def tell(console: Console, as_json: bool, ros: bool | None) -> int:
    """Run the whole demonstration; 0 if everything was as it must be, else 1."""
    with_ros = ros_is_here() if ros is None else ros
    story = Story(console, as_json)
    story.say(
        "demo",
        "virtual board: real firmware in MicroPython, real serial port, modelled relays and load",
    )
    if not with_ros:
        story.say("demo", "no ROS 2 here: `redbutton run` owns the port, and there is no planner")
    with own_domain() as domain, Stage(ros=with_ros, domain=domain) as stage:
        story.say("gate", f"owns the port: {stage.state().sentence()}")
        _person_resets(story, stage)
        _planner_drives(story, stage)

        _stop(story, stage, "button pressed", stage.board.press, "contact_a")
        _software_tries(story, stage, "the button is pressed")
        story.say("person", "releases the button")
        stage.board.release()
        time.sleep(0.3)
        story.expect(not stage.board.load, "still dead: releasing the button starts nothing")
        _software_tries(story, stage, "the button is released")
        _person_resets(story, stage)
        _planner_must_ask_anew(story, stage)

        _stop(story, stage, "stop requested", lambda: _request_stop(stage))
        _person_resets(story, stage)
        _stop(story, stage, "gate killed (SIGKILL)", lambda: _signal(stage, signal.SIGKILL))
        stage.start_gate()
        story.say("gate", "started again")
        story.expect(not stage.board.load, "still dead: a new gate starts nothing")
        _person_resets(story, stage)
        _stop(story, stage, "gate stopped (SIGSTOP)", lambda: _signal(stage, signal.SIGSTOP))
        _signal(stage, signal.SIGCONT)
        story.say("gate", "continued (SIGCONT)")
        time.sleep(0.3)
        story.expect(not stage.board.load, "still dead: its heartbeats count, and start nothing")
        _person_resets(story, stage)
        _stop(story, stage, "serial unplugged", stage.board.cable.unplug)
        stage.board.cable.plug()
        story.say("person", "plugs it in again")
        time.sleep(0.5)
        story.expect(not stage.board.load, "still dead: a new cable starts nothing")
        _person_resets(story, stage)
        _planner_must_ask_anew(story, stage)
    _summary(story)
    return 1 if story.wrong else 0


def _person_resets(story: Story, stage: Stage) -> None:
    story.say("person", "presses the reset button for 0.3 s and lets go", "yellow")
    presses = stage.reset()
    story.expect(presses > 0, "energised" + (f" by press {presses}" if presses > 1 else ""))


def _planner_drives(story: Story, stage: Stage) -> None:
    if stage.planner is None or stage.robot is None:
        return
    stage.planner.ask(f"drive {SPEED}")
    time.sleep(1.0)
    story.say(
        "planner",
        f"asks to drive at {SPEED} m/s; the robot is at {stage.robot.last['x']} m",
        "cyan",
    )
    if not stage.robot.last["moving"]:
        story.wrong.append("the robot does not drive")


def _planner_must_ask_anew(story: Story, stage: Stage) -> None:
    if stage.planner is None or stage.robot is None:
        return
    x = stage.robot.last["x"]
    time.sleep(0.7)
    story.say(
        "robot", f"stands still at {stage.robot.last['x']} m: nothing from before moves it", "cyan"
    )
    if stage.robot.last["x"] != x:
        story.wrong.append("the robot moved without a new command")
    stage.planner.ask(f"drive {SPEED}")
    time.sleep(0.7)
    story.say("planner", f"gives a new command; the robot is at {stage.robot.last['x']} m", "cyan")
    if stage.robot.last["x"] == x:
        story.wrong.append("the robot does not follow a new command")
    stage.planner.ask("rest")


def _stop(
    story: Story,
    stage: Stage,
    name: str,
    act: Callable[[], object],
    signal_name: str | None = None,
) -> None:
    """Let one of the five stops happen and measure it at the load."""
    begin = time.monotonic()
    act()
    opened = stage.board.wait_change(signal_name, 0, begin, 1.0) if signal_name else None
    dead = stage.board.wait_change("load", 0, begin, LOAD_TIMEOUT_S)
    if dead is None:
        story.expect(False, f"dead after: {name}")
        return
    start = opened.wall_s if opened else begin
    wall_ms = (dead.wall_s - start) * 1000
    model_ms = (dead.at_us - opened.at_us) / 1000 if opened else None
    story.stops.append((name, wall_ms, model_ms))
    story.say("STOP", name, "bold red")
    story.expect(not stage.board.load, f"dead {_times(wall_ms, model_ms)} after")


def _times(wall_ms: float, model_ms: float | None) -> str:
    return f"{wall_ms:.1f} ms" + (f" ({model_ms:.1f} ms in the model)" if model_ms else "")


def _software_tries(story: Story, stage: Stage, when: str) -> None:
    story.say("software", f"tries to run again while {when}:", "magenta")
    begin = time.monotonic()
    attempts = (attacks.BY_PLANNER if stage.ros else ()) + attacks.BY_HOST
    for name, attempt in attempts:
        got = attempt(stage)
        dead = _dead_since(stage, begin)
        story.attempts.append((f"{name}, {when}", got, dead))
        story.say("software", f"{name}: {got}", "magenta")
        if not dead:
            story.wrong.append(f"{name} brought the load back")
    story.expect(_dead_since(stage, begin), "dead all the while")


def _dead_since(stage: Stage, begin: float) -> bool:
    """Whether the modelled load was off for all of the time since `begin`."""
    changes: list[Change] = stage.board.changes
    return not stage.board.load and not any(
        change.signal == "load" and change.wall_s >= begin for change in changes
    )


def _request_stop(stage: Stage) -> None:
    if stage.planner is not None:
        stage.planner.tell("stop")
        return
    client = Client(socket_path(str(stage.port), stage.runtime))
    client.stop(StopRequest(reason="demo"))
    client.close()


def _signal(stage: Stage, number: signal.Signals) -> None:
    if stage.gate is not None:
        stage.gate.send_signal(number)
        if number == signal.SIGKILL:
            stage.gate.wait()


def _summary(story: Story) -> None:
    if story.as_json:
        print(
            json.dumps(
                {
                    "stops": [
                        {"stop": name, "wall_ms": wall, "model_ms": model}
                        for name, wall, model in story.stops
                    ],
                    "attempts": [
                        {"attempt": name, "got": got, "load_dead": dead}
                        for name, got, dead in story.attempts
                    ],
                    "wrong": story.wrong,
                }
            ),
            flush=True,
        )
        return
    table = Table(title="From the event to the load dead (one run; the relays are modelled)")
    table.add_column("stop")
    table.add_column("measured", justify="right")
    table.add_column("in the model", justify="right")
    for name, wall, model in story.stops:
        table.add_row(name, f"{wall:.1f} ms", f"{model:.1f} ms" if model else "")
    story.console.print(table)
    held = sum(dead for _, _, dead in story.attempts)
    story.console.print(
        f"{len(story.attempts)} attempts by software to run again, the load stayed dead in {held}."
    )
    if story.wrong:
        story.console.print(f"[bold red]NOT as it must be: {escape('; '.join(story.wrong))}[/]")
    else:
        story.console.print(
            "[green]Everything was as it must be.[/] Not certified equipment: see README, Limits."
        )
