"""What the gate says of the controller and of itself, in both domains: measured, or nothing."""

import time
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool

from redbutton.gate import Gate
from redbutton.model import SafetyState
from redbutton_msgs.msg import SafetyState as SafetyStateMsg
from redbutton_ros.convert import Conduct, to_diagnostics, to_message

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Reports:
    """Publishers of the state. `guarded`: the topics in the robot's domain that are ours alone."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        """`nodes`: the robot's, then the planner's if it has its own."""
        # Each event that a publisher may tell of is one more thing to wait for, with each command.
        silent = PublisherEventCallbacks(use_default_callbacks=False)

        def publisher(node: Node, kind: Any, topic: str, qos: QoSProfile | int) -> Publisher[Any]:
            return node.create_publisher(kind, topic, qos, event_callbacks=silent)

        robot = nodes[0]
        self._states = [publisher(n, SafetyStateMsg, "estop/state", LATCHED) for n in nodes]
        self._stops = [publisher(n, Bool, "estop/e_stop", LATCHED) for n in nodes]
        self._lock = publisher(robot, Bool, "estop/lock", 1)
        self._diagnostics = publisher(robot, DiagnosticArray, "/diagnostics", 1)
        self.guarded = [p.topic_name for p in (self._states[0], self._stops[0], self._lock)]

    def tell(self, state: SafetyState, gate: Gate, conduct: Conduct) -> None:
        """The state, and for tools that know only a Bool: may not run."""
        message = to_message(state, gate, conduct, time.time_ns())
        for publisher in self._states:
            publisher.publish(message)
        stopped = Bool(data=not state.running)
        for publisher in (*self._stops, self._lock):
            publisher.publish(stopped)

    def diagnose(
        self, state: SafetyState, conduct: Conduct, more: dict[str, str], board: str
    ) -> None:
        """See `to_diagnostics`."""
        self._diagnostics.publish(to_diagnostics(state, conduct, more, board, time.time_ns()))
