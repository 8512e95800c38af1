"""A zone stop: one request stops every robot of a group. Each controller then needs its own reset.

| name | type | what |
|---|---|---|
| zone/stop (service) | std_srvs/Trigger | stop all; success when every stop is measured |

It asks each member's gate, by `<member>/estop/request_stop`. It is a convenience, not a second
emergency stop: a member whose gate is gone has stopped already, for want of a heartbeat.
"""

import time
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from redbutton_msgs.srv import RequestStop
from redbutton_ros.process import run
from redbutton_ros.settings import NONE, Setting, SettingsWrong, declare

TURN_S = 0.02
ANSWER_S = 3.0  # longer than a gate waits for its proof
REQUEST = RequestStop.Request(category=RequestStop.Request.CATEGORY_0, reason="zone stop")
MEMBERS = Setting("members", NONE, "namespaces of the robots in the zone, as ['/robot_1']")


class _Asked:
    """One request for the zone: each gate is asked as soon as it is there."""

    def __init__(self, gates: dict[str, Any]) -> None:
        self._missing = dict(gates)
        self._answers: dict[str, Any] = {}
        self._deadline = time.monotonic() + ANSWER_S
        self.over: Future[None] = Future()

    def turn(self, now: float) -> None:
        """Ask who is there; over when all have answered, or in time."""
        for member in [m for m, gate in self._missing.items() if gate.service_is_ready()]:
            self._answers[member] = self._missing.pop(member).call_async(REQUEST)
        answered = all(future.done() for future in self._answers.values())
        if now > self._deadline or (answered and not self._missing):
            self.over.set_result(None)

    def told(self) -> tuple[bool, str]:
        """Whether every stop is measured, and which is not."""
        problems = [f"{member} is not reached" for member in self._missing]
        for member, future in self._answers.items():
            answer = future.result() if future.done() else None
            if answer is None:
                problems.append(f"{member} has not answered")
            elif not answer.stopped:
                problems.append(f"{member}: {answer.message}")
        if problems:
            return False, "; ".join(problems)
        return True, f"stopped, measured at each: {', '.join(sorted(self._answers))}"


class Zone:
    """See the module."""

    def __init__(self) -> None:
        node = Node("zone")
        self.nodes = [node]
        members = [member.rstrip("/") for member in declare(node, MEMBERS) if member]
        if not members:
            raise SettingsWrong("parameter members: a zone without robots stops nothing")
        group = ReentrantCallbackGroup()
        self._gates: dict[str, Any] = {
            member: node.create_client(
                RequestStop, f"{member}/estop/request_stop", callback_group=group
            )
            for member in members
        }
        self._asked: list[_Asked] = []
        node.create_service(Trigger, "zone/stop", self._on_stop, callback_group=group)
        node.create_timer(TURN_S, self._turn)

    def close(self) -> None:
        """Give it up."""
        self.nodes[0].destroy_node()

    async def _on_stop(self, _: Any, response: Any) -> Any:
        self.nodes[0].get_logger().warning(f"zone stop: {', '.join(self._gates)}")
        asked = _Asked(self._gates)
        asked.turn(time.monotonic())
        self._asked.append(asked)
        await asked.over
        response.success, response.message = asked.told()
        return response

    def _turn(self) -> None:
        now = time.monotonic()
        for asked in self._asked:
            asked.turn(now)
        self._asked = [asked for asked in self._asked if not asked.over.done()]


def main() -> None:
    """Until it is told to end; a fault is one line and an exit code."""
    run("zone", Zone)


if __name__ == "__main__":
    main()
