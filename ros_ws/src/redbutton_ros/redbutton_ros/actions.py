"""An action of the robot's, offered to the planner: goals that pass are handed on.

At a stop the planner's goal is aborted with a reason at once, and the robot's own is cancelled. It
is never resumed: as long as the robot's action server has not said that the goal has ended, no
heartbeat is made, so that a reset cannot bring it back to life (SR-10).
"""

import contextlib
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action.client import ActionClient
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.task import Future

from redbutton.crossing import Action
from redbutton_ros.kinds import load

CANCEL_AGAIN_S = 0.5
# Fields in which results of well-known actions tell in words what went wrong.
TELLING = ("error_msg", "error_string", "message")


class _Goal:
    """A goal on its way. `aborted`: why, if it was; `ended`: the planner may have its answer."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.at_robot: Any = None
        self.aborted: str | None = None
        self.answer: Any = None  # what the robot's server said
        self.ended: Future[None] = Future()
        self.cancelled_at = float("-inf")

    def abort(self, reason: str) -> None:
        if not self.ended.done():
            self.aborted = reason
            self.ended.set_result(None)


class ActionProxy:
    """One action in both domains."""

    def __init__(
        self, action: Action, planner: Node, robot: Node, passes: Callable[[str, bool, Any], bool]
    ) -> None:
        """`passes`: may a goal? By the action's name and whether the robot has a server for it."""
        self.name = action.name
        self._passes = passes
        self._kind = load(action.type)
        self._goals: list[_Goal] = []  # not known to have ended at the robot
        self._client: Any = ActionClient(robot, self._kind, action.topic)
        self._server: Any = ActionServer(
            planner,
            self._kind,
            action.planner_topic,
            execute_callback=self._execute,
            goal_callback=self._asked,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    @property
    def unended(self) -> int:
        """Goals that the robot's server may still follow; none if it is gone."""
        if self._goals and not self._client.server_is_ready():
            for goal in self._goals:
                goal.abort("the robot's action server is gone")
            self._goals.clear()
        return len(self._goals)

    def turn(self, stopped: str | None, now: float) -> None:
        """Cancel what a stop or the planner wants cancelled, until the robot's server ends it.

        `stopped`: why the robot may not run; None: it may.
        """
        for goal in self._goals:
            if stopped is not None:
                goal.abort(stopped)
            wanted = goal.aborted is not None or goal.handle.is_cancel_requested
            if wanted and goal.at_robot and now - goal.cancelled_at >= CANCEL_AGAIN_S:
                goal.cancelled_at = now
                goal.at_robot.cancel_goal_async()

    def _asked(self, goal: Any) -> GoalResponse:
        passes = self._passes(self.name, self._client.server_is_ready(), goal)
        return GoalResponse.ACCEPT if passes else GoalResponse.REJECT

    async def _execute(self, handle: Any) -> Any:
        """Hand the goal on, and its feedback and result back."""
        goal = _Goal(handle)
        self._goals.append(goal)
        sent = self._client.send_goal_async(
            handle.request, feedback_callback=lambda message: self._feedback(goal, message)
        )
        sent.add_done_callback(lambda future: self._taken(goal, future))
        await goal.ended
        return self._told(goal)

    def _taken(self, goal: _Goal, future: Any) -> None:
        at_robot = future.result()
        if at_robot is None or not at_robot.accepted:
            goal.abort("the robot's action server rejected the goal")
            self._forget(goal)
            return
        goal.at_robot = at_robot
        at_robot.get_result_async().add_done_callback(lambda future: self._done(goal, future))

    def _done(self, goal: _Goal, future: Any) -> None:
        """The robot's server says that the goal has ended."""
        self._forget(goal)
        goal.answer = future.result()
        if not goal.ended.done():
            goal.ended.set_result(None)

    def _forget(self, goal: _Goal) -> None:
        with contextlib.suppress(ValueError):
            self._goals.remove(goal)

    def _feedback(self, goal: _Goal, message: Any) -> None:
        if not goal.ended.done():
            goal.handle.publish_feedback(message.feedback)

    def _told(self, goal: _Goal) -> Any:
        """The planner's result, with its goal in the state that belongs to it."""
        if goal.answer is None:
            goal.handle.abort()
            result = self._kind.Result()
            for field in TELLING:
                if hasattr(result, field):
                    setattr(result, field, goal.aborted or "")
            return result
        if goal.answer.status == GoalStatus.STATUS_SUCCEEDED:
            goal.handle.succeed()
        elif goal.answer.status == GoalStatus.STATUS_CANCELED and goal.handle.is_cancel_requested:
            goal.handle.canceled()
        else:
            goal.handle.abort()
        return goal.answer.result
