"""A planner for the demonstration, and then one that does not want to be stopped.

Takes one command a line on standard input and answers each with one line of JSON:

    drive SPEED    send cmd_vel_request at 20 Hz (0 sends zeros), until told otherwise
    rest           send nothing
    state          the last estop/state that was heard
    stop           call estop/stop
    direct SPEED   send cmd_vel itself, past the gate, for a second
    forge          send an estop/state that says RUN, for half a second
    services       call every service of the graph, but those that only stop
    parameter NAME VALUE   set a parameter of the gate
"""

import json
import time
from importlib import import_module
from typing import Any

import rclpy
from geometry_msgs.msg import Twist
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import Trigger

from redbutton_msgs.msg import SafetyState
from redbutton_ros.play import play

RATE_HZ = 20
SERVICE_TIMEOUT_S = 1.0
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STATES = {
    value: name
    for name, value in (
        ("UNKNOWN", SafetyState.UNKNOWN),
        ("STOPPED", SafetyState.STOPPED),
        ("RUN", SafetyState.RUN),
        ("STOPPING", SafetyState.STOPPING),
        ("LOCKOUT", SafetyState.LOCKOUT),
    )
}


class DemoPlanner(Node):
    """Does what it is told, on the topics that a planner has."""

    def __init__(self) -> None:
        super().__init__("demo_planner")
        self._requests = self.create_publisher(Twist, "cmd_vel_request", 10)
        self.create_subscription(SafetyState, "estop/state", self._on_state, LATCHED)
        self._stop: Any = self.create_client(Trigger, "estop/stop")
        self._state: SafetyState | None = None
        self._heard = 0.0
        self._speed: float | None = None
        self.create_timer(1 / RATE_HZ, self._drive)

    def _drive(self) -> None:
        if self._speed is not None:
            self._requests.publish(_twist(self._speed))

    def _on_state(self, message: SafetyState) -> None:
        self._state = message
        self._heard = time.monotonic()

    def obey(self, words: list[str]) -> dict[str, Any]:
        """Do one command; what came of it."""
        match words:
            case ["drive", speed]:
                self._speed = float(speed)
            case ["rest"]:
                self._speed = None
            case ["state"]:
                return self._told_state()
            case ["stop"]:
                return self._call(self._stop, Trigger.Request())
            case ["direct", speed]:
                self._publish("cmd_vel", _twist(float(speed)), RATE_HZ)
            case ["forge"]:
                lie = SafetyState(state=SafetyState.RUN, fresh=True, load_proven_on=True)
                self._publish("estop/state", lie, RATE_HZ // 2)
            case ["parameter", name, value]:
                return {"set": self._set_parameter(name, float(value))}
            case ["services"]:
                return {"called": self._call_all()}
            case _:
                return {"error": "not a command"}
        return {"done": words[0]}

    def _publish(self, topic: str, message: Any, times: int) -> None:
        """Send it again and again on a topic that is not this node's to use."""
        publisher = self.create_publisher(type(message), topic, LATCHED)
        for _ in range(times):
            publisher.publish(message)
            time.sleep(1 / RATE_HZ)
        self.destroy_publisher(publisher)

    def _told_state(self) -> dict[str, Any]:
        if self._state is None:
            return {"state": None}
        return {
            "state": STATES[self._state.state],
            "heard_s_ago": time.monotonic() - self._heard,
            "gates": self._requests.get_subscription_count(),
            "load_proven_off": self._state.load_proven_off,
            "first_cause": self._state.first_cause,
            "commands_passed": self._state.commands_passed,
            "commands_refused": self._state.commands_refused,
            "refusal": self._state.refusal,
        }

    def _ask(self, client: Any, request: Any) -> Any:
        """The answer of a service, or None."""
        if not client.wait_for_service(timeout_sec=SERVICE_TIMEOUT_S):
            return None
        future = client.call_async(request)
        deadline = time.monotonic() + 3 * SERVICE_TIMEOUT_S
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.005)
        return future.result() if future.done() else None

    def _call(self, client: Any, request: Any) -> dict[str, Any]:
        answer = self._ask(client, request)
        if answer is None:
            return {"error": "no such service, or no answer"}
        return {
            field: value
            for field in answer.get_fields_and_field_types()
            if isinstance(value := getattr(answer, field), bool | str)
        }

    def _set_parameter(self, name: str, value: float) -> bool:
        client: Any = self.create_client(SetParametersAtomically, "gate/set_parameters_atomically")
        parameter = rclpy.parameter.Parameter(name, value=value).to_parameter_msg()
        answer = self._ask(client, SetParametersAtomically.Request(parameters=[parameter]))
        return bool(answer is not None and answer.result.successful)

    def _call_all(self) -> list[str]:
        """Every service but its own and those that actions are made of.

        With an empty request, or one that sets its own rules.
        """
        called = []
        for name, (kind, *_) in sorted(self.get_service_names_and_types()):
            if (
                self.get_name() in name
                or "/_action/" in name
                or name.endswith(("/stop", "/request_stop", "/get_type_description"))
            ):
                continue
            package, folder, type_name = kind.split("/")
            service = getattr(import_module(f"{package}.{folder}"), type_name)
            request = service.Request()
            if type_name.startswith("SetParameters"):
                request.parameters = [
                    rclpy.parameter.Parameter(parameter, value=value).to_parameter_msg()
                    for parameter, value in (("command_age", 1e9), ("rest", 0.0))
                ]
            client: Any = self.create_client(service, name)
            self._call(client, request)
            self.destroy_client(client)
            called.append(name)
        return called


def _twist(speed: float) -> Twist:
    twist = Twist()
    twist.linear.x = speed
    return twist


def main() -> None:
    """Until standard input ends."""
    rclpy.init()
    planner = DemoPlanner()
    play(planner, lambda line: print(json.dumps(planner.obey(line.split())), flush=True))


if __name__ == "__main__":
    main()
