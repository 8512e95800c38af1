"""The gate: the only way for a planner's commands to the robot, and the maker of the heartbeat.

A thin shell. The rules of passing stand in `redbutton.gate`, those of the link in
`redbutton.session`. The timer that turns the link runs on the same executor, in the same callback
group, as the callback that forwards commands: an executor that hangs makes no heartbeat (SR-20).

| name | type | what |
|---|---|---|
| cmd_vel_request (in) | geometry_msgs/Twist | what the planner wants |
| cmd_vel (out) | geometry_msgs/Twist | what passes; zero while the robot may not move |
| estop/state (out, latched) | redbutton_msgs/SafetyState | measured state |
| estop/stop (service) | std_srvs/Trigger | request a stop |
| estop/request_stop (service) | redbutton_msgs/RequestStop | the same, with category and reason |

There is no service that resets: that is a person at the controller.
"""

import sys
import time
from pathlib import Path
from typing import Any

import rclpy
from geometry_msgs.msg import Twist
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from std_srvs.srv import Trigger

from redbutton import attestation, key
from redbutton.errors import RedbuttonError
from redbutton.gate import COMMAND_AGE_S, REST_S, Gate
from redbutton.model import SafetyState
from redbutton.owner import Owner
from redbutton.session import Fault, Hello, Transition
from redbutton_msgs.msg import SafetyState as SafetyStateMsg
from redbutton_msgs.srv import RequestStop
from redbutton_ros.convert import components, to_message

TURN_S = 0.005
REPEAT_S = 0.1
STOP_PROOF_S = 2.0


class GateNode(Node):
    """See the module."""

    _owner: Owner | None = None  # until the port is open

    def __init__(self) -> None:
        """Open the port; a RedbuttonError says why it could not."""
        super().__init__("gate")
        port = self._setting("port", "", "the controller's port; empty: look for it")
        key_file = self._setting("key_file", "", "file of the link key; empty: the default one")
        self._gate = Gate(
            self._setting("command_age", COMMAND_AGE_S, "how old a command may be, in seconds"),
            self._setting("rest", REST_S, "silence that counts as rest, in seconds"),
        )
        keys = Path(key_file or key.default_file())
        self._owner = self._port = Owner(port or None, key.load(keys), attestation.expected(keys))
        self._last: tuple[object, ...] | None = None
        self._repeat = 0.0
        self._waiting: list[tuple[float, Future[bool]]] = []

        self._commands = self.create_publisher(Twist, "cmd_vel", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._states = self.create_publisher(SafetyStateMsg, "estop/state", latched)
        self.create_subscription(Twist, "cmd_vel_request", self._on_request, 10)
        # A stop request waits for its proof without keeping the link's timer from turning.
        waits = ReentrantCallbackGroup()
        self.create_service(Trigger, "estop/stop", self._on_stop, callback_group=waits)
        self.create_service(
            RequestStop, "estop/request_stop", self._on_request_stop, callback_group=waits
        )
        self.create_timer(TURN_S, self._turn)

    def _setting(self, name: str, default: Any, description: str) -> Any:
        """A parameter that is set at the start and by nobody later (SR-25)."""
        descriptor = ParameterDescriptor(description=description, read_only=True)
        return self.declare_parameter(name, default, descriptor).value

    def _turn(self) -> None:
        """Serial in, heartbeat out, state told, waiting requests answered."""
        for event in self._port.turn():
            self._log(event)
        state = self._port.state()
        now = time.monotonic()
        running = self._gate.observe(state, now)
        shown = (state.state, state.load, state.causes, state.present, state.measured)
        changed = shown != self._last
        if changed or now >= self._repeat:
            self._last, self._repeat = shown, now + REPEAT_S
            if not running:
                self._commands.publish(Twist())
            self._states.publish(to_message(state, self._gate, self.get_clock().now().nanoseconds))
        elif self._gate.run_out(now):
            self._commands.publish(Twist())
        self._answer_waiting(state, now)

    def _on_request(self, message: Twist, info: Any) -> None:
        now = time.monotonic()
        made = now - (time.time() - info["source_timestamp"] / 1e9)
        verdict = self._gate.command(components(message), made, self._port.state(), now)
        if verdict.passed:
            self._commands.publish(message)
        else:
            self.get_logger().warning(f"refused: {verdict.reason}", throttle_duration_sec=1.0)

    async def _on_stop(self, _: Any, response: Any) -> Any:
        sent, stopped = await self._stop(0, "estop/stop")
        response.success = stopped
        response.message = self._told(sent, stopped)
        return response

    async def _on_request_stop(self, request: Any, response: Any) -> Any:
        response.sent, response.stopped = await self._stop(request.category, request.reason)
        response.message = self._told(response.sent, response.stopped)
        return response

    async def _stop(self, category: int, reason: str) -> tuple[bool, bool]:
        """Whether the request was sent, and whether the stop was then measured (SR-21)."""
        sent = self._port.stop(category)
        self.get_logger().warning(f"stop requested, category {category}: {reason or 'no reason'}")
        future: Future[bool] = Future()
        self._waiting.append((time.monotonic() + STOP_PROOF_S, future))
        return sent, bool(await future)

    def _answer_waiting(self, state: SafetyState, now: float) -> None:
        waiting, self._waiting = self._waiting, []
        for deadline, future in waiting:
            if state.stopped and "stop requested" in state.causes:
                future.set_result(True)
            elif now > deadline:
                future.set_result(False)
            else:
                self._waiting.append((deadline, future))

    def _told(self, sent: bool, stopped: bool) -> str:
        if stopped:
            return "stopped: both mirror contacts measured closed"
        how = "requested" if sent else "not requested, there is no link to the controller"
        return f"stop {how}, and not proven: {self._port.state().sentence()}"

    def _log(self, event: object) -> None:
        logger = self.get_logger()
        if isinstance(event, Transition):
            logger.warning(
                f"{event.before.value} -> {event.after.value}: {event.cause or 'reset'}"
            )
        elif isinstance(event, Hello):
            logger.info(f"controller {event.identity.board}, firmware {event.identity.firmware}")
        elif isinstance(event, Fault):
            if not event.error.survivable:
                raise event.error
            logger.error(str(event.error))

    def destroy_node(self) -> None:
        """Give the port up."""
        if self._owner is not None:
            self._owner.close()
        super().destroy_node()


def main() -> None:
    """Run the gate until it is told to end; a fault is one line and an exit code."""
    rclpy.init()
    node = None
    try:
        node = GateNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RedbuttonError as error:
        print(f"gate: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        try:
            if node is not None:
                node.destroy_node()
            rclpy.try_shutdown()
        except KeyboardInterrupt:  # a second Ctrl-C
            pass


if __name__ == "__main__":
    main()
