"""Topics that ask for motion, topics that move the robot, and the way from one to the other.

While the robot may not run every output is told to rest, again and again. In a category 1 stop,
while the controller still leaves the power on, a velocity comes down on a ramp, if one is set.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from redbutton.crossing import Crossing, Input, Output, Side
from redbutton.gate import Command, Gate
from redbutton.model import SafetyState, State
from redbutton.record.diary import Diary
from redbutton_ros.checks import Checks
from redbutton_ros.kinds import KINDS, SECOND, Kind, converted, with_twist

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

QUEUE = 10
BRAKE_S = 0.02  # between two steps of the ramp
REST_AGAIN_S = 0.1
# From Iron on a callback is told when a message was sent. Before, that is when the gate takes it.
TELLS_WHEN = hasattr(Subscription, "CallbackType")


class _Outlet:
    """One output: its publisher, and what it was last told."""

    def __init__(self, output: Output, robot: Node) -> None:
        self.output = output
        self.kind = KINDS[output.type]
        self.publisher = robot.create_publisher(self.kind.message, output.topic, QUEUE)
        self._last = Command(moves=False)
        self._sent: Any = None
        self._braking: float | None = None  # since when
        self._next = 0.0  # when it is told again

    def send(self, message: Any, command: Command) -> None:
        """What has passed."""
        self._sent = converted(message, self.output.type, self.output.frame, time.time_ns())
        self.publisher.publish(self._sent)
        self._last = command
        self._braking = None

    def rest(self) -> None:
        """Now."""
        self.publisher.publish(self.kind.rest(self.output.frame, time.time_ns()))
        self._last = Command(moves=False)

    def rest_on(self, now: float) -> None:
        """At once, and then again and again."""
        if self._last.moves or now >= self._next:
            self._next = now + REST_AGAIN_S
            self.rest()

    def brake(self, deceleration: float, now: float) -> None:
        """Down the ramp to rest, from what was last sent; m/s^2."""
        self._braking = now if self._braking is None else self._braking
        left = self._last.linear - deceleration * (now - self._braking)
        if left <= 0:
            self.rest_on(now)
        elif now >= self._next:
            self._next = now + BRAKE_S
            share = left / self._last.linear
            self.publisher.publish(self.kind.scaled(self._sent, share, time.time_ns()))


class Motion:
    """All inputs and outputs."""

    def __init__(
        self,
        crossing: Crossing,
        nodes: dict[Side, Node],
        gate: Gate,
        state: Callable[[], SafetyState],
        deceleration: float,
        checks: Checks | None,
        record: Diary,
    ) -> None:
        """`state`: the controller's, now. `deceleration`: of the ramp, m/s^2; 0: none."""
        self._record = record
        self._gate = gate
        self._checks = checks
        self._state = state
        self._deceleration = deceleration
        # A simulated clock is not the one that this compares with.
        self._header_counts = not nodes[Side.ROBOT].get_parameter("use_sim_time").value
        self._logger = nodes[Side.ROBOT].get_logger()
        self._outlets = {
            output.name: _Outlet(output, nodes[Side.ROBOT]) for output in crossing.outputs
        }
        for entry in crossing.inputs:
            self._listen(entry, nodes[entry.side])

    @property
    def topics(self) -> Sequence[str]:
        """The outputs' names, resolved."""
        return [outlet.publisher.topic_name for outlet in self._outlets.values()]

    def turn(self, state: SafetyState, now: float) -> None:
        """Rest what must rest. Call after `Gate.observe`."""
        for name in self._gate.run_out(now):
            self._outlets[name].rest()
        if state.running:
            return
        for outlet in self._outlets.values():
            if state.state is State.STOPPING and self._deceleration:
                outlet.brake(self._deceleration, now)
            else:
                outlet.rest_on(now)

    def _listen(self, entry: Input, node: Node) -> None:
        """Subscribe an input. A promise that is broken is rest at once."""

        def on_message(message: Any, info: Any) -> None:
            self._on_message(entry, message, time.time_ns() - info["source_timestamp"])

        def on_message_of_unknown_age(message: Any) -> None:
            self._on_message(entry, message, 0)

        def on_deadline(_: Any) -> None:
            self._broken(entry, "missed its deadline")

        def on_liveliness(changed: Any) -> None:
            if not changed.alive_count:
                self._broken(entry, "has no publisher that is alive")

        qos = QoSProfile(depth=QUEUE)
        events = SubscriptionEventCallbacks()
        if entry.deadline:
            qos.deadline = Duration(nanoseconds=int(entry.deadline * SECOND))
            events.deadline = on_deadline
        if entry.lease:
            qos.liveliness_lease_duration = Duration(nanoseconds=int(entry.lease * SECOND))
            events.liveliness = on_liveliness
        callback = on_message if TELLS_WHEN else on_message_of_unknown_age
        node.create_subscription(
            KINDS[entry.type].message, entry.topic, callback, qos, event_callbacks=events
        )

    def _broken(self, entry: Input, promise: str) -> None:
        """Rest at once, if it is this input that moves the robot."""
        resting = self._gate.rest(entry.name)
        if resting is not None:
            self._logger.warning(f"input {entry.name} {promise}")
            self._outlets[resting].rest()

    def _on_message(self, entry: Input, message: Any, age_ns: int) -> None:
        """Judge a message of an input and hand it on, or not."""
        now = time.monotonic()
        command, stamp_ns = _seen(KINDS[entry.type], message)
        if stamp_ns and self._header_counts:
            age_ns = max(age_ns, time.time_ns() - stamp_ns, key=abs)
        made = now - age_ns / SECOND
        check = _Checked(self._checks, entry, message, command, now)
        verdict = self._gate.command(entry.name, command, made, self._state(), now, check)
        outlet = self._outlets[entry.output]
        if verdict.passed:
            outlet.send(check.message, check.command)
            return
        if self._checks is not None:
            self._checks.rest(entry.name, now)
        if verdict.rest:
            outlet.rest()
        self._logger.warning(f"{entry.name} refused: {verdict.reason}", throttle_duration_sec=1.0)
        self._record.count(now, "refused", entry.name, reason=verdict.reason)


class _Checked:
    """A command and what the profile makes of it, asked last and only once."""

    def __init__(
        self, checks: Checks | None, entry: Input, message: Any, command: Command, now: float
    ) -> None:
        self._checks = checks
        self._entry = entry
        self._now = now
        self.message = message
        self.command = command

    def __call__(self) -> str:
        """Why it may not pass, or ""; what is cut to a limit takes the place of what was asked."""
        if self._checks is None:
            return ""
        said = self._checks.command(self._entry.name, self._entry.type, self.message, self._now)
        if not said.allowed:
            return f"{said.verdict.rule}: {said.verdict.reason}"
        if said.linear is not None and said.angular is not None:
            self.message = with_twist(self.message, said.linear, said.angular)
            self.command = KINDS[self._entry.type].command(self.message)
        return ""


def _seen(kind: Kind, message: Any) -> tuple[Command, int]:
    """What the rules see of a message, and its stamp; what cannot be looked at is malformed."""
    try:
        return kind.command(message), kind.stamp_ns(message)
    except Exception as error:  # whatever it is, it is a refusal
        return Command(problem=f"it cannot be checked: {error}"), 0
