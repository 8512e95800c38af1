"""Stop requests from either domain: never refused, answered when the stop is measured (SR-06)."""

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from redbutton.model import SafetyState
from redbutton_msgs.srv import RequestStop

PROOF_S = 2.0


class StopServices:
    """`estop/stop` and `estop/request_stop` in every domain. `turn` answers who waits."""

    def __init__(self, nodes: Iterable[Node], request: Callable[[int, str], bool]) -> None:
        """`request` sends a stop request of a category, for a reason; whether it was sent."""
        self._request = request
        self._asked: list[Future[SafetyState]] = []  # since the last turn
        self._waiting: list[tuple[float, Future[SafetyState]]] = []
        for node in nodes:
            # Waiting for the proof must not keep the node's other callbacks.
            waits = ReentrantCallbackGroup()
            node.create_service(Trigger, "estop/stop", self._on_stop, callback_group=waits)
            node.create_service(
                RequestStop, "estop/request_stop", self._on_request_stop, callback_group=waits
            )

    def turn(self, state: SafetyState, now: float) -> None:
        """Answer those whose stop is measured, and those for whom it was not in time (SR-21)."""
        self._waiting += [(now + PROOF_S, future) for future in self._asked]
        self._asked.clear()
        for deadline, future in self._waiting:
            if _proven(state) or now > deadline:
                future.set_result(state)
        self._waiting = [(at, future) for at, future in self._waiting if not future.done()]

    async def _on_stop(self, _: Any, response: Any) -> Any:
        _, response.success, response.message = await self._stop(0, "estop/stop")
        return response

    async def _on_request_stop(self, request: Any, response: Any) -> Any:
        response.sent, response.stopped, response.message = await self._stop(
            request.category, request.reason
        )
        return response

    async def _stop(self, category: int, reason: str) -> tuple[bool, bool, str]:
        """Whether the request was sent, whether the stop was then measured, and that in words."""
        sent = self._request(category, reason)
        future: Future[SafetyState] = Future()
        self._asked.append(future)
        state = await future
        assert state is not None
        if _proven(state):
            return sent, True, "stopped: both mirror contacts measured closed"
        how = "requested" if sent else "not requested, there is no link to the controller"
        return sent, False, f"stop {how}, and not proven: {state.sentence()}"


def _proven(state: SafetyState) -> bool:
    return state.stopped and "stop requested" in state.causes
