"""A zone stop: one request stops every robot of a group. Each controller then needs its own reset.

| name | type | what |
|---|---|---|
| zone/stop (service) | std_srvs/Trigger | stop all; success when every stop is measured |

It asks each member's gate, by `<member>/estop/request_stop`. It is a convenience, not a second
emergency stop: a member whose gate is gone has stopped already, for want of a heartbeat.
"""

import sys
import time
from typing import Any

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from redbutton.errors import RedbuttonError
from redbutton_msgs.srv import RequestStop
from redbutton_ros.settings import NONE, Setting, SettingsWrong, declare

TURN_S = 0.02
ANSWER_S = 3.0  # longer than a gate waits for its proof
MEMBERS = Setting("members", NONE, "namespaces of the robots in the zone, as ['/robot_1']")


class _Asked:
    """One request for the zone: what each member's gate answers."""

    def __init__(self, answers: dict[str, Any], missing: list[str]) -> None:
        self.answers = answers
        self.missing = missing
        self.deadline = time.monotonic() + ANSWER_S
        self.over: Future[None] = Future()

    def look(self, now: float) -> None:
        """Over when all have answered, or in time."""
        if now > self.deadline or all(future.done() for future in self.answers.values()):
            self.over.set_result(None)

    def told(self) -> tuple[bool, str]:
        """Whether every stop is measured, and which is not."""
        problems = [f"{member} is not reached" for member in self.missing]
        for member, future in self.answers.items():
            answer = future.result() if future.done() else None
            if answer is None:
                problems.append(f"{member} has not answered")
            elif not answer.stopped:
                problems.append(f"{member}: {answer.message}")
        if problems:
            return False, "; ".join(problems)
        return True, f"stopped, measured at each: {', '.join(self.answers)}"


class Zone(Node):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("zone")
        members = [member.rstrip("/") for member in declare(self, MEMBERS) if member]
        if not members:
            raise SettingsWrong("parameter members: a zone without robots stops nothing")
        group = ReentrantCallbackGroup()
        self._gates: dict[str, Any] = {
            member: self.create_client(
                RequestStop, f"{member}/estop/request_stop", callback_group=group
            )
            for member in members
        }
        self._asked: list[_Asked] = []
        self.create_service(Trigger, "zone/stop", self._on_stop, callback_group=group)
        self.create_timer(TURN_S, self._turn)

    async def _on_stop(self, _: Any, response: Any) -> Any:
        self.get_logger().warning(f"zone stop: {', '.join(self._gates)}")
        request = RequestStop.Request(category=RequestStop.Request.CATEGORY_0, reason="zone stop")
        reached = [m for m, client in self._gates.items() if client.service_is_ready()]
        asked = _Asked(
            {member: self._gates[member].call_async(request) for member in reached},
            [member for member in self._gates if member not in reached],
        )
        self._asked.append(asked)
        await asked.over
        response.success, response.message = asked.told()
        return response

    def _turn(self) -> None:
        now = time.monotonic()
        for asked in self._asked:
            asked.look(now)
        self._asked = [asked for asked in self._asked if not asked.over.done()]


def main() -> None:
    """Until it is told to end; a fault is one line and an exit code."""
    rclpy.init()
    zone = None
    try:
        zone = Zone()
        executor = SingleThreadedExecutor()
        executor.add_node(zone)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RedbuttonError as error:
        print(f"zone: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        try:
            if zone is not None:
                zone.destroy_node()
            rclpy.try_shutdown()
        except KeyboardInterrupt:  # a second Ctrl-C
            pass


if __name__ == "__main__":
    main()
