"""The whole chain on one computer: virtual board, owner of the port, planner, robot.

Everything is real but the pins: the firmware in the MicroPython interpreter, a pseudo-terminal
opened with pyserial, and, with ROS, gate, planner and robot as nodes in processes of their own.
The end-to-end tests stand on this stage too.
"""

import contextlib
import importlib.util
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import Self

from redbutton import key
from redbutton.errors import MissingTool, NoContact
from redbutton.local import Client, socket_path
from redbutton.model import SafetyState
from redbutton.virtual.board import Change, RealTimeBoard

PRESSES = 3
END_S = 3.0
START_S = 20.0
FIRST_DOMAIN, LAST_DOMAIN = 2, 100  # Linux gives ports of its own from domain 102 on
PARTICIPANTS = 40  # of which a domain's ports are looked at
CLAIM = 249  # of a domain's 250 ports: no participant comes so far
TRIES = 1000
HEARD_S = 0.3  # the gate tells its state at 10 Hz


def ros_is_here() -> bool:
    """Whether the gate node could be started."""
    return all(
        importlib.util.find_spec(name) for name in ("rclpy", "redbutton_ros", "redbutton_msgs")
    )


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that nobody uses on this computer, and whose next one nobody uses either.

    A participant of DDS binds UDP ports that follow from its domain and its number there
    (DDSI-RTPS 9.6.1.1). A domain is claimed for as long as this lasts, so that two processes
    that look at the same time do not find the same one.
    """
    for _ in range(TRIES):
        domain = random.randrange(FIRST_DOMAIN, LAST_DOMAIN, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as claim:
            if _binds(claim, domain, CLAIM) and _is_free(domain) and _is_free(domain + 1):
                yield domain
                return
    raise NoContact("no ROS domain is free on this computer")


def _is_free(domain: int) -> bool:
    """Whether no participant is there, be it one whose number's predecessors have left."""
    for number in range(PARTICIPANTS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
            if not _binds(participant, domain, 10 + 2 * number):
                return False
    return True


def _binds(port: socket.socket, domain: int, offset: int) -> bool:
    try:
        port.bind(("", 7400 + 250 * domain + offset))
    except OSError:
        return False
    return True


class Player:
    """A process that takes a line and answers with a line of JSON."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.last: dict[str, Any] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                self.last = json.loads(line)
                self.heard.put(self.last)

    def tell(self, line: str) -> None:
        """Say a line, without waiting."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def ask(self, line: str, timeout: float = 30.0) -> dict[str, Any]:
        """Say a line and wait for the answer."""
        while not self.heard.empty():
            self.heard.get()
        self.tell(line)
        try:
            return self.heard.get(timeout=timeout)
        except queue.Empty:
            raise NoContact(f"no answer to {line!r}") from None

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        _end(self._process)


class Stage:
    """Use as a context manager; leaves no process and no file behind.

    `board` is the truth: its modelled load. `gate` is the process that owns the port.
    """

    def __init__(
        self,
        *,
        ros: bool = True,
        domain: int = 0,
        single_domain: bool = False,
        players: bool = True,
        vouches: bool = True,
        parameters: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
        **board: Any,
    ) -> None:
        """`domain`: the planner's ROS domain; the robot's is the next, or the same if it must.

        `players`: a planner and a robot. `vouches`: wait until the gate makes a heartbeat.
        `parameters`, `arguments`: more of them for the gate; `arguments`: for `redbutton run` too.
        `board`: settings of the virtual board.
        """
        if ros and not ros_is_here():
            raise MissingTool("no ROS 2 here: rclpy, redbutton_msgs and redbutton_ros must import")
        self._folder = tempfile.TemporaryDirectory(prefix="redbutton-")
        folder = Path(self._folder.name)
        self.ros = ros
        self.port = folder / "controller"
        self.key_file = folder / "key"
        self.key = key.create(self.key_file)
        self.runtime = folder / "run"
        self.domain_of_robot = domain + (not single_domain)
        self._vouches = vouches
        self.environment = {
            **os.environ,
            "REDBUTTON_RUNTIME_DIR": str(self.runtime),
            "ROS_DOMAIN_ID": str(self.domain_of_robot),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "PYTHONUNBUFFERED": "1",
        }
        self.parameters = {
            "port": str(self.port),
            "key_file": str(self.key_file),
            "planner_domain": str(domain),
            "input.planner.topic": "cmd_vel_request",  # where the demonstration's planner asks
            **(parameters or {}),
        }
        self.gate_module = ["-m", "redbutton_ros.gate"]
        self._arguments = arguments
        self.gate_log = folder / "gate.log"
        self.board = RealTimeBoard(self.key, self.port, **board)
        self.board.on_change = self._wire_load
        self.planner: Player | None = None
        self.robot: Player | None = None
        self.gate: subprocess.Popen[bytes] | None = None
        try:
            if ros and players:
                planners = {**self.environment, "ROS_DOMAIN_ID": str(domain)}
                self.planner = Player("redbutton_ros.demo_planner", planners)
                self.robot = Player("redbutton_ros.demo_robot", self.environment)
            self.start_gate()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _wire_load(self, change: Change) -> None:
        if change.signal == "load" and self.robot is not None:
            self.robot.tell(f"load {change.value}")

    def start_gate(self) -> None:
        """Start the owner of the port, the ROS gate or `redbutton run`, and wait until it hears
        the controller; NoContact with what it said if it does not."""
        arguments = ["-m", "redbutton.cli", "run", "-p", str(self.port), "-k", str(self.key_file)]
        arguments += self._arguments
        if self.ros:
            given = [f"{name}:={value}" for name, value in self.parameters.items()]
            arguments = [*self.gate_module, "--ros-args", *self._arguments]
            arguments += [word for text in given for word in ("-p", text)]
        with self.gate_log.open("ab") as log:
            self.gate = subprocess.Popen(
                [sys.executable, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_state(
            lambda state: (
                state.heard and not (self._vouches and "heartbeat lost" in state.present)
            ),
            START_S,
        )
        self._wait_for_nodes()

    def _wait_for_nodes(self) -> None:
        """Until planner, gate and robot have found each other: discovery takes its time."""
        if self.planner is None or self.robot is None:
            return
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            told = self.planner.ask("state")
            heard = told.get("heard_s_ago", START_S) < HEARD_S and told["gates"] > 0
            if heard and self.robot.last.get("asked") is not None:
                return
            time.sleep(0.05)
        raise NoContact("planner, gate and robot did not find each other")

    def end_gate(self) -> None:
        """End it in the ordinary way."""
        if self.gate is not None:
            _end(self.gate)

    def state(self) -> SafetyState:
        """What the owner of the port tells now; UNKNOWN if nobody does."""
        try:
            with contextlib.closing(self._client()) as client:
                return next(client.states())
        except (OSError, StopIteration):
            return SafetyState(problem="nobody owns the port")

    def wait_state(self, wanted: Any, timeout: float) -> SafetyState:
        """Wait until `wanted(state)`; NoContact if that does not come to be."""
        deadline = time.monotonic() + timeout
        while not wanted(state := self.state()):
            if time.monotonic() > deadline:
                raise NoContact(f"waited in vain: {state.sentence()}; {self._said()}")
            if self.gate is not None and self.gate.poll() is not None:
                raise NoContact(f"the gate ended: {self._said()}")
            time.sleep(0.02)
        return state

    def reset(self) -> int:
        """A person waits for what blocks a reset to be gone and presses the reset button.

        How many presses it took until the load was on and the owner of the port had measured it;
        0 if that did not come to be. On a busy machine a heartbeat may be late while the
        controller tests itself, or just after: then a person presses again.
        """
        for press in range(1, PRESSES + 1):
            with contextlib.suppress(NoContact):
                self.wait_state(lambda state: state.heard and not state.present, 5.0)
                self.board.reset()
                if self.board.wait_load(True, 2.0):
                    self.wait_state(lambda state: state.running, 1.0)
                    return press
        return 0

    def _client(self) -> Client:
        return Client(socket_path(str(self.port), self.runtime))

    def _said(self) -> str:
        lines = self.gate_log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """End everything."""
        if self.gate is not None:
            _end(self.gate)
        for player in (self.planner, self.robot):
            if player is not None:
                player.close()
        self.board.close()
        self._folder.cleanup()


def _end(process: "subprocess.Popen[Any]") -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
