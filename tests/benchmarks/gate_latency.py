"""What the gate costs: commands that pass through it beside commands that need not; then stops.

usage: python tests/benchmarks/gate_latency.py [--json] [--seconds S] [--rates HZ,HZ] [--stops N]
                                               [--no-profile]

The gate checks each command against the example profile of a mobile base, with zones, a pose and a
person who is seen; only how often and how suddenly commands may come is set higher there.
Publisher, gate and subscribers are processes of their own that speak real DDS on this computer.
Direct: the subscriber is in the publisher's domain. Gate: it is in the robot's domain, and the
controller is measured RUN. Blocks of both take turns, so both see the same machine; the gate runs
all the while. A block during which the controller stopped is made again: what is measured is the
way of a command, not how often a busy machine loses the heartbeat. It says how many those were.

The second table needs the board: the firmware is real, in MicroPython, and what moves (contacts,
relays, load) is a model. Its drop-out of 3.5 ms is in "load off". All times are this computer's.
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import rclpy
import yaml
from geometry_msgs.msg import Pose, PoseArray, Twist
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from std_srvs.srv import Trigger

from redbutton.checks.profile import EXAMPLES
from redbutton.demo.stage import Stage, own_domain
from redbutton_msgs.msg import SafetyState

RATES = (50, 200, 1000)
PATHS = {"direct": "direct", "gate": "cmd_vel_request"}  # and the topic that begins it
QUEUE = 10
BLOCKS = 10  # of each path at each rate
REPEATS = 20  # blocks that may be made again
SETTLE_S = 0.1  # after a block, for what is still on its way
DRIVE_HZ = 100
DRIVE_S = 0.4  # before a stop
AFTER_S = 0.4  # after a stop, still asking to drive
SPEED = 0.1
END_S = 5.0
# Times (ns) and numbers ride in components that a base does not use. Exact, and small: a gate with
# limits must not see a speed in them.
SMALL = -60
SEEN_HZ = 20  # how often pose and people are told
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


# --- the processes


def publisher(pipe: Connection, domain: int) -> None:
    """The planner: sends blocks of commands, drives, asks for a stop."""
    rclpy.init(domain_id=domain)
    node = Node("publisher")
    publishers = {topic: node.create_publisher(Twist, topic, QUEUE) for topic in PATHS.values()}
    stop: Any = node.create_client(Trigger, "estop/stop")
    requests = publishers[PATHS["gate"]]
    number = 0

    def send(to: Any) -> None:
        nonlocal number
        number += 1
        message = Twist()
        message.linear.x = SPEED
        message.angular.z = math.ldexp(number, SMALL)
        message.linear.z = math.ldexp(time.monotonic_ns(), SMALL)
        to.publish(message)

    def block(topic: str, rate: float, seconds: float) -> list[int]:
        """The first number and the last. A moment that was slept through is not made up for."""
        first = number + 1
        begin = due = time.monotonic()
        while due < begin + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            send(publishers[topic])
            late = time.monotonic() - due
            due += max(1, math.ceil(late * rate)) / rate
        return [first, number]

    def drive(ask: bool) -> dict[str, int]:
        """From rest; if it shall `ask` for a stop, when that was and when it was answered."""
        assert stop.wait_for_service(10.0)
        requests.publish(Twist())
        timer = node.create_timer(1 / DRIVE_HZ, lambda: send(requests))
        _spin(executor, DRIVE_S + random.uniform(0, 0.1))
        times = {}
        if ask:
            times["asked"] = time.monotonic_ns()
            future = stop.call_async(Trigger.Request())
            executor.spin_until_future_complete(future, 3.0)
            if future.done() and future.result().success:
                times["answered"] = time.monotonic_ns()
        _spin(executor, AFTER_S)
        node.destroy_timer(timer)
        return times

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    doing: dict[str, Callable[..., Any]] = {"block": block, "drive": drive}
    for what, *arguments in _asked(pipe):
        pipe.send(doing[what](*arguments))
    rclpy.try_shutdown()


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    executor.spin_until_future_complete(Future(), seconds)


def subscriber(pipe: Connection, domain: int, topic: str, with_state: bool) -> None:
    """The robot's driver, or whoever hears the planner directly: one program for both."""
    rclpy.init(domain_id=domain)
    node = Node("subscriber")
    heard: deque[tuple[int, int]] = deque()  # number, ns on the way
    rests: deque[int] = deque()  # when a zero arrived
    states: deque[tuple[int, bool, bool]] = deque()  # when, STOPPED, load proven off

    def on_command(message: Twist) -> None:
        now = time.monotonic_ns()
        if message.linear.x:
            sent = int(math.ldexp(message.linear.z, -SMALL))
            heard.append((int(math.ldexp(message.angular.z, -SMALL)), now - sent))
        else:
            rests.append(now)

    def on_state(message: SafetyState) -> None:
        stopped = message.state == SafetyState.STOPPED
        states.append((time.monotonic_ns(), stopped, message.load_proven_off))

    def answer() -> None:
        for _ in _asked(pipe):
            pipe.send([[q.popleft() for _ in range(len(q))] for q in (heard, rests, states)])
        rclpy.try_shutdown()

    node.create_subscription(Twist, topic, on_command, QUEUE)
    if with_state:
        node.create_subscription(SafetyState, "estop/state", on_state, LATCHED)
    threading.Thread(target=answer, daemon=True).start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with contextlib.suppress(ExternalShutdownException):
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.2)


def surroundings(pipe: Connection, domain: int) -> None:
    """The robot's localisation and its detector of people."""
    rclpy.init(domain_id=domain)
    node = Node("surroundings")
    poses = node.create_publisher(Odometry, "pose", 1)
    people = node.create_publisher(PoseArray, "people", 1)
    person = Pose()
    person.position.x = 5.0

    def tell() -> None:
        pose, crowd = Odometry(), PoseArray(poses=[person])
        pose.pose.pose.orientation.w = 1.0
        for message in (pose, crowd):
            message.header.frame_id = "map"
            message.header.stamp = node.get_clock().now().to_msg()
        poses.publish(pose)
        people.publish(crowd)

    node.create_timer(1 / SEEN_HZ, tell)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with contextlib.suppress(ExternalShutdownException):
        while not pipe.poll():
            executor.spin_once(timeout_sec=0.2)
    rclpy.try_shutdown()


def profile(folder: str) -> dict[str, str]:
    """Parameters of the gate for a profile that lets every command of these pass."""
    given = yaml.safe_load((EXAMPLES / "mobile_base.yaml").read_text())
    given["limits"]["command_rate"] = 10_000
    given["limits"]["linear_acceleration"] = given["limits"]["angular_acceleration"] = 100
    file = Path(folder, "profile.yaml")
    file.write_text(yaml.safe_dump(given))
    return {"profile": str(file), "pose": "pose", "people": "people"}


def _asked(pipe: Connection) -> Iterator[tuple[Any, ...]]:
    """What the benchmark asks for, until it has no more to ask, or is gone."""
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        yield from iter(pipe.recv, None)


class Other:
    """A process to be told and asked."""

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, *what: Any) -> None:
        """Without waiting."""
        self._pipe.send(what)

    def answer(self, timeout: float = 60.0) -> Any:
        """What it says of what it was told."""
        if not self._pipe.poll(timeout):
            raise TimeoutError("a process of the benchmark does not answer")
        return self._pipe.recv()

    def ask(self, *what: Any) -> Any:
        """Tell, and wait for the answer."""
        self.tell(*what)
        return self.answer()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(END_S)
        self._process.kill()


@contextlib.contextmanager
def others(domain: int, with_state: bool) -> Iterator[dict[str, Other]]:
    """The publisher, and the subscribers at the ends of both paths."""
    processes = {
        "publisher": Other(publisher, domain),
        "direct": Other(subscriber, domain, PATHS["direct"], with_state),
        "gate": Other(subscriber, domain + 1, "cmd_vel", with_state),
        "surroundings": Other(surroundings, domain + 1),
    }
    try:
        yield processes
    finally:
        for process in processes.values():
            process.close()


# --- figures


@dataclass
class Sample:
    """Times in microseconds."""

    times_us: list[float] = field(default_factory=list)

    def quantile(self, q: float) -> float:
        """The nearest rank."""
        ordered = sorted(self.times_us)
        return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else math.nan

    def figures(self) -> dict[str, float]:
        """What is printed of it."""
        return {
            "n": len(self.times_us),
            "p50_us": round(self.quantile(0.5), 1),
            "p99_us": round(self.quantile(0.99), 1),
            "max_us": round(self.quantile(1.0), 1),
        }


@dataclass
class Way(Sample):
    """One path at one rate. `busy_s`: processor time of the gate in `seconds`."""

    sent: int = 0
    busy_s: float = 0.0
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        figures = super().figures()
        lost = self.sent - int(figures.pop("n"))
        busy = round(100 * self.busy_s / self.seconds, 1)
        return {**figures, "sent": self.sent, "lost": lost, "gate_busy_percent": busy}


class Measuring:
    """One stage, measured at."""

    def __init__(self, stage: Stage, domain: int, progress: Progress) -> None:
        """`domain`: the planner's; the robot's is the next."""
        self._stage = stage
        self._domain = domain
        self._progress = progress
        self.repeated = 0  # blocks and stops

    # --- commands

    def commands(self, rates: list[int], seconds: float) -> dict[int, dict[str, Way]]:
        """Both ways at each rate."""
        found = {rate: {path: Way() for path in PATHS} for rate in rates}
        with others(self._domain, with_state=False) as players:
            self._meet(players)
            for rate, ways in found.items():
                bar = self._progress.add_task(f"{rate} Hz", total=2 * BLOCKS)
                for number in range(BLOCKS):
                    for path in list(PATHS) if number % 2 else reversed(PATHS):
                        self._block(players, path, rate, seconds / BLOCKS, ways[path])
                        self._progress.advance(bar)
        return found

    def _meet(self, players: dict[str, Other]) -> None:
        """Wait until both ways are open."""
        self._run()
        deadline = time.monotonic() + 20.0
        while not all(self._try(players, path, 50, 0.2)[1] for path in PATHS):
            if time.monotonic() > deadline:
                raise TimeoutError("the nodes did not find each other")
            self._run()

    def _run(self) -> None:
        """See to it that the controller runs."""
        if not self._stage.state().running and not self._stage.reset():
            raise RuntimeError(f"no RUN: {self._stage.state().sentence()}")

    def _try(
        self, players: dict[str, Other], path: str, rate: float, seconds: float
    ) -> tuple[int, list[float]]:
        players["publisher"].tell("block", PATHS[path], rate, seconds)
        first, last = players["publisher"].answer()
        time.sleep(SETTLE_S)
        heard, _, _ = players[path].ask()
        times = {number: ns / 1000 for number, ns in heard if first <= number <= last}
        return last - first + 1, list(times.values())

    def _block(
        self, players: dict[str, Other], path: str, rate: int, seconds: float, way: Way
    ) -> None:
        while True:
            self._run()
            begin, busy = time.monotonic(), self._busy()
            sent, times = self._try(players, path, rate, seconds)
            busy = self._busy() - busy
            stopped = self._stage.board.wait_change("load", 0, begin, 0.0) is not None
            if not stopped and self._stage.state().running:
                break
            self._again()
        way.sent += sent
        way.times_us += times
        way.busy_s += busy
        way.seconds += seconds + SETTLE_S

    def _again(self) -> None:
        self.repeated += 1
        if self.repeated > REPEATS:
            raise RuntimeError("the controller stops again and again: this machine is too busy")

    def _busy(self) -> float:
        """Processor time that the gate has used, in seconds."""
        assert self._stage.gate
        with open(f"/proc/{self._stage.gate.pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    # --- stops

    def stops(self, count: int) -> dict[str, dict[str, Sample]]:
        """Stops that the planner asks for, and presses of the button, while it drives."""
        found: dict[str, dict[str, Sample]] = {"stop service": {}, "button": {}}
        with others(self._domain, with_state=True) as players:
            for name, samples in found.items():
                bar = self._progress.add_task(name, total=count)
                done = 0
                while done < count:
                    times = self._stop(players, pressed=name == "button")
                    if times is None:
                        self._again()
                        continue
                    for what, time_us in times.items():
                        samples.setdefault(what, Sample()).times_us.append(time_us)
                    done += 1
                    self._progress.advance(bar)
        return found

    def _stop(self, players: dict[str, Other], pressed: bool) -> dict[str, float] | None:
        """What came of one stop and how long after, in microseconds; None: it was another."""
        board = self._stage.board
        self._run()
        for end in PATHS:
            players[end].ask()
        begin = time.monotonic()
        players["publisher"].tell("drive", not pressed)
        if pressed:
            time.sleep(DRIVE_S + random.uniform(0, 0.1))
            board.press()
        told = players["publisher"].answer()
        board.release()
        robot, planner = players["gate"].ask(), players["direct"].ask()
        opened = board.wait_change("contact_a", 0, begin, 0.0)
        dead = board.wait_change("load", 0, begin, 0.0)
        start = told.get("asked", opened and int(opened.wall_s * 1e9))
        if start is None or dead is None or not robot[0]:
            return None
        times = {
            "load off": _first([int(dead.wall_s * 1e9)], start),
            "first zero command at the robot": _first(robot[1], start),
            "STOPPED told in the robot's domain": _first_state(robot[2], start, 1),
            "STOPPED told in the planner's domain": _first_state(planner[2], start, 1),
            "load proven off, told in the robot's domain": _first_state(robot[2], start, 2),
        }
        if not pressed:
            times["answered: stop proven"] = told.get("answered")
        if None in times.values():
            return None
        return {name: (at - start) / 1000 for name, at in times.items() if at}


def _first(times: list[int], start: int) -> int | None:
    return min((at for at in times if at >= start), default=None)


def _first_state(states: list[tuple[int, bool, bool]], start: int, which: int) -> int | None:
    return _first([state[0] for state in states if state[which]], start)


# --- what is printed


def ratios(ways: dict[str, Way]) -> dict[str, float]:
    """The gate's quantiles as multiples of the direct connection's."""
    return {
        name: round(ways["gate"].quantile(q) / ways["direct"].quantile(q), 2)
        for name, q in (("p50", 0.5), ("p99", 0.99))
    }


def commands_table(found: dict[int, dict[str, Way]]) -> Table:
    """A line for each way and rate."""
    table = Table(title="a command on its way, microseconds (nothing modelled)")
    table.add_column("rate")
    table.add_column("way")
    for name in ("p50", "p99", "max", "sent", "lost", "p50/direct", "p99/direct", "gate busy"):
        table.add_column(name, justify="right")
    for rate, ways in found.items():
        for path, way in ways.items():
            figures = way.figures()
            shares = ratios(ways).values() if path == "gate" else ()
            table.add_row(
                f"{rate} Hz" if path == "direct" else "",
                path,
                *(f"{figures[name]:.0f}" for name in ("p50_us", "p99_us", "max_us")),
                *(str(figures[name]) for name in ("sent", "lost")),
                *([f"{share:.2f}" for share in shares] or ["", ""]),
                f"{figures['gate_busy_percent']:.0f} %",
                end_section=path == "gate",
            )
    return table


def stops_table(found: dict[str, dict[str, Sample]]) -> Table:
    """A line for each thing that follows a stop."""
    table = Table(title="after a stop, milliseconds (contacts, relays, load: modelled)")
    table.add_column("from")
    table.add_column("to")
    for name in ("n", "p50", "p99", "max"):
        table.add_column(name, justify="right")
    starts = {"stop service": "planner calls estop/stop", "button": "first contact opens"}
    for name, samples in found.items():
        for place, (what, sample) in enumerate(samples.items()):
            figures = sample.figures()
            table.add_row(
                "" if place else starts[name],
                what,
                str(figures["n"]),
                *(f"{figures[q] / 1000:.1f}" for q in ("p50_us", "p99_us", "max_us")),
                end_section=place == len(samples) - 1,
            )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each way and rate")
    parser.add_argument("--rates", default=",".join(map(str, RATES)), help="in Hz")
    parser.add_argument("--no-profile", action="store_true", help="without checks of a profile")
    parser.add_argument("--stops", type=int, default=50, help="of each kind; 0: none")
    given = parser.parse_args()
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    load = os.getloadavg()[0]
    with (
        own_domain() as domain,
        Progress(console=Console(stderr=True), transient=True) as progress,
        tempfile.TemporaryDirectory() as folder,
        Stage(
            domain=domain,
            players=False,
            parameters={} if given.no_profile else profile(folder),
        ) as stage,
    ):
        measuring = Measuring(stage, domain, progress)
        commands = measuring.commands([int(r) for r in given.rates.split(",")], given.seconds)
        stops = measuring.stops(given.stops) if given.stops else {}
    if given.json:
        told = {
            "processors": os.cpu_count(),
            "load_before": load,
            "repeated": measuring.repeated,
            "commands": {
                rate: {**{p: way.figures() for p, way in ways.items()}, "ratios": ratios(ways)}
                for rate, ways in commands.items()
            },
            "stops": {
                name: {what: sample.figures() for what, sample in samples.items()}
                for name, samples in stops.items()
            },
        }
        print(json.dumps(told))
        return
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(commands_table(commands))
    if stops:
        console.print(stops_table(stops))
    console.print(
        f"{os.cpu_count()} processors, load {load:.1f} before. Blocks and stops made again "
        f"because the controller had stopped by itself: {measuring.repeated}."
    )


if __name__ == "__main__":
    main()
