"""A robot base for the demonstration: drives as `cmd_vel` says, but only while its supply is on.

The supply is no topic. It comes as lines "load 0" and "load 1" on standard input, from whatever
models the relays, as power comes by a wire. Says `{"x": metres, "moving": bool, "asked": m/s}` on
standard output whenever that changes; `asked`: the last command, null if none has come.
"""

import json
from typing import Any

import rclpy
from geometry_msgs.msg import Twist
from rclpy.node import Node

from redbutton_ros.play import play

STEP_S = 0.02
COMMAND_LASTS_S = 0.5


class DemoRobot(Node):
    """One axis is enough: metres along x."""

    def __init__(self) -> None:
        super().__init__("demo_robot")
        self.load = False
        self._asked: float | None = None
        self._left = 0.0
        self._x = 0.0
        self._told: dict[str, Any] = {}
        self.create_subscription(Twist, "cmd_vel", self._on_command, 10)
        self.create_timer(STEP_S, self._step)

    def obey(self, line: str) -> None:
        """The supply comes or goes."""
        self.load = line == "load 1"

    def _on_command(self, message: Twist) -> None:
        self._asked = message.linear.x
        self._left = COMMAND_LASTS_S

    def _step(self) -> None:
        self._left -= STEP_S
        speed = (self._asked or 0.0) if self.load and self._left > 0 else 0.0
        self._x += speed * STEP_S
        now = {"x": round(self._x, 2), "moving": speed != 0.0, "asked": self._asked}
        if now != self._told:
            self._told = now
            print(json.dumps(now), flush=True)


def main() -> None:
    """Until standard input ends."""
    rclpy.init()
    robot = DemoRobot()
    play(robot, robot.obey)


if __name__ == "__main__":
    main()
