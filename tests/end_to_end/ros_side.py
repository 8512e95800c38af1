"""What tests do in one ROS domain: publish, hear, call, and serve.

The node turns in a thread of its own. The gate is another process: everything goes over DDS.

What a test makes stays until its end: an executor of rclpy's that waits for something which is
destroyed meanwhile raises InvalidHandle. And a new publisher is not known to the gate at once:
what it says first may come late.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import rclpy
from geometry_msgs.msg import Twist, TwistStamped
from rclpy.action.client import ActionClient
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from test_msgs.action import Fibonacci
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from typing_extensions import Self

from redbutton.demo.stage import Stage
from redbutton_msgs.msg import SafetyState

FOUND_S = 30.0
ANSWER_S = 15.0
RATE_S = 0.02
MATCHED_S = 0.3
OPTIONS = ("single_domain", "vouches", "stop_delay_ms", "heartbeat_timeout_ms", "arguments")
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def wait(condition: Callable[[], object], seconds: float = FOUND_S) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class RosSide:
    """A node in one domain. Use as a context manager."""

    def __init__(self, domain: int, name: str) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node(name, context=self._context)
        self.ending: list[Callable[[], object]] = []  # what a node does not end itself
        self._made: dict[tuple[str, ...], Any] = {}
        self._over = threading.Event()
        self._executor = MultiThreadedExecutor(4, context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(InvalidHandle):  # a test ended something: the rest turns on
                self._executor.spin_once(timeout_sec=0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()  # before anything is destroyed: a context's end destroys its nodes
        self._executor.wake()
        self._thread.join()
        for end in self.ending:
            end()
        self.node.destroy_node()
        self._context.try_shutdown()

    def _once(self, make: Callable[[], Any], *what: object) -> tuple[Any, bool]:
        """What is made at the first call, and whether this is it."""
        name = tuple(map(str, what))
        is_new = name not in self._made
        if is_new:
            self._made[name] = make()
        return self._made[name], is_new

    def say(self, kind: Any, topic: str, qos: Any = 10) -> Any:
        """The publisher of this topic, that somebody already listens to."""
        publisher, is_new = self._once(
            lambda: self.node.create_publisher(kind, topic, qos), "say", kind, topic, qos
        )
        assert wait(publisher.get_subscription_count), f"nobody listens to {topic}"
        if is_new:  # until the listener knows of it too: a command must not come late
            time.sleep(MATCHED_S)
        return publisher

    def hear(self, kind: Any, topic: str, qos: Any = 10) -> list[Any]:
        """The messages on a topic from now on: a list that grows."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        assert wait(lambda: self.node.count_publishers(topic)), f"nobody publishes {topic}"
        return heard

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """The answer of a service."""
        return self.result(self.call_later(kind, name, request))

    def call_later(self, kind: Any, name: str, request: Any) -> Any:
        """A service is asked: the future of its answer."""
        client, _ = self._once(lambda: self.node.create_client(kind, name), "call", kind, name)
        assert client.wait_for_service(FOUND_S), f"there is no service {name}"
        return client.call_async(request)

    def send_goal(self, kind: Any, name: str, goal: Any, feedback: Any = None) -> Any:
        """A goal's handle."""
        client, _ = self._once(lambda: ActionClient(self.node, kind, name), "goal", kind, name)
        assert client.wait_for_server(FOUND_S), f"there is no action {name}"
        return self.result(client.send_goal_async(goal, feedback_callback=feedback))

    def result(self, future: Any, seconds: float = ANSWER_S) -> Any:
        """Wait for it."""
        assert wait(future.done, seconds), "no answer"
        return future.result()


class Scene:
    """The gate on a virtual board, and this test's nodes in both domains."""

    def __init__(self, stage: Stage, planner: RosSide, robot: RosSide) -> None:
        self.stage = stage
        self.planner = planner
        self.robot = robot
        self.states: list[SafetyState] = robot.hear(SafetyState, "estop/state", LATCHED)

    @property
    def state(self) -> SafetyState:
        """As the gate told it last."""
        assert wait(lambda: self.states)
        return self.states[-1]

    def send(self, publisher: Any, message: Any, seconds: float) -> None:
        """Again and again for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            publisher.publish(message)
            time.sleep(RATE_S)


MakeScene = Callable[..., Scene]


@contextlib.contextmanager
def scene_on(domain: int, run: bool = True, **parameters: object) -> Iterator[Scene]:
    """A scene with these parameters of the gate, two underscores for a dot; `run`: in RUN.

    Options of `Stage` (`OPTIONS`) may be among them.
    """
    options: dict[str, Any] = {
        name: parameters.pop(name) for name in OPTIONS if name in parameters
    }
    given = {name.replace("__", "."): str(value) for name, value in parameters.items()}
    with (
        Stage(domain=domain, players=False, parameters=given, **options) as stage,
        RosSide(domain, "planner_side") as planner,
        RosSide(stage.domain_of_robot, "robot_side") as robot,
    ):
        scene = Scene(stage, planner, robot)
        try:
            assert not run or stage.reset()
            yield scene
        finally:
            print(stage.gate_log.read_text(errors="replace"))  # shown if the test fails


def twist(speed: float) -> Twist:
    message = Twist()
    message.linear.x = speed
    return message


def stamped(speed: float, age: float = 0.0) -> TwistStamped:
    message = TwistStamped(twist=twist(speed))
    sec, ns = divmod(time.time_ns() - int(age * 1e9), 1_000_000_000)
    message.header.stamp.sec, message.header.stamp.nanosec = sec, ns
    return message


def speeds(heard: list[Any]) -> list[float]:
    return [(m.twist if isinstance(m, TwistStamped) else m).linear.x for m in heard]


def trajectory(*positions: float) -> JointTrajectory:
    points = []
    for second, position in enumerate(positions):
        point = JointTrajectoryPoint(positions=[position])
        point.time_from_start.sec = second
        points.append(point)
    return JointTrajectory(joint_names=["elbow"], points=points)


class CountingRobot:
    """The robot's action server: counts up to the order asked for, 20 numbers a second.

    `obeys`: it ends a goal when it is told to cancel it.
    """

    def __init__(self, side: RosSide, obeys: bool = True) -> None:
        self.obeys = obeys
        self.running = 0
        self.counted = 0
        self._server: Any = ActionServer(
            side.node,
            Fibonacci,
            "count",
            execute_callback=self._execute,
            goal_callback=lambda goal: (
                GoalResponse.ACCEPT if goal.order < 1000 else GoalResponse.REJECT
            ),
            cancel_callback=lambda _: (
                CancelResponse.ACCEPT if self.obeys else CancelResponse.REJECT
            ),
            callback_group=ReentrantCallbackGroup(),
        )
        self._ending = side.ending
        self._ending.append(self._server.destroy)

    def die(self) -> None:
        """In the middle of whatever it does."""
        self._ending.remove(self._server.destroy)
        self._server.destroy()

    def _execute(self, handle: Any) -> Any:
        self.running += 1
        feedback = Fibonacci.Feedback()
        try:
            for number in range(handle.request.order):
                if handle.is_cancel_requested:
                    handle.canceled()
                    return Fibonacci.Result()
                self.counted += 1
                feedback.sequence.append(number)
                handle.publish_feedback(feedback)
                time.sleep(0.05)
            handle.succeed()
            return Fibonacci.Result(sequence=feedback.sequence)
        finally:
            self.running -= 1
