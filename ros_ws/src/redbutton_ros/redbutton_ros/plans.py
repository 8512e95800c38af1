"""The service that judges plans, and the operators' channel where people approve what is held.

Plans are judged by the shipped rules and the profile, in a process of its own: the answer comes
later, and at a stop or a reset everything that still waits for one is refused.

Who must approve a held one is what the profile says under `approvals`: for each hazard that it
names there, and under `plan` for whatever else was objected to. What nobody is named for nobody
may approve.
"""

import grp
import hashlib
import os
import pwd
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from redbutton.approval.channel import Channel, Operators, Report, socket_path
from redbutton.checks.execution import Course
from redbutton.checks.judge import Judge
from redbutton.checks.profile import RobotProfile
from redbutton.checks.review import Review, desk_of
from redbutton.checks.verdict import Judgement, Verdict, refused
from redbutton.plain import plain
from redbutton.record.diary import Diary
from redbutton_msgs.srv import CheckPlan
from redbutton_ros.settings import SettingsWrong

VERDICTS = {
    Judgement.REFUSE: CheckPlan.Response.REFUSE,
    Judgement.HOLD: CheckPlan.Response.HOLD,
    Judgement.ALLOW: CheckPlan.Response.ALLOW,
}

NO_PROFILE = refused("default", "this gate has no robot profile, so no plan can be checked")
WHOLE_PLAN = -1
HEAR_S = 0.1  # operators


class Plans:
    """Plans and who approves them."""

    def __init__(
        self,
        node: Node,
        profile: RobotProfile | None,
        own: dict[str, Any],
        begin: Callable[[Course, float], None],
        record: Diary,
    ) -> None:
        """`profile`: without one every plan is refused. `own`: the gate's settings. `begin`: told
        of each plan that is allowed, and when. RedbuttonError if operators cannot be heard."""
        self._record = record
        self._logger = node.get_logger()
        self._begin = begin
        self._channel: Channel | None = None
        self._judge: Judge | None = None
        self._hear = 0.0  # when operators are heard next
        if profile is None:
            return
        desk = desk_of(profile)
        if desk is not None:
            self._channel = Channel(socket_path(), desk, _operators(own), self._report)
        self._review = Review(desk, profile.approvals)
        self._judge = Judge(profile, self._on_judge)
        self._judge.turn(time.monotonic())  # to start a process takes a moment: before all turns

    def turn(self, now: float) -> None:
        """Hear the process that judges, and operators."""
        if self._judge is not None:
            self._judge.turn(now)
        if self._channel is not None and now >= self._hear:
            self._hear = now + HEAR_S
            self._channel.turn(now)

    def stopped(self) -> None:
        """The robot was stopped, or reset: nothing that was asked or held before goes on (SR-10).

        At both, as a stop that is over before the gate's next turn shows only in the reset."""
        if self._judge is not None:
            self._judge.stopped()
            self._review.stopped()

    async def answer(self, question: str, response: Any) -> Any:
        """Fill in the service's response, when it is known."""
        asked = question.encode(errors="replace")
        said = await self._judged(asked)
        assert said is not None
        response.verdict = VERDICTS[said.verdict]
        response.rule, response.reason = said.rule, said.reason
        response.step = WHOLE_PLAN if said.step is None else said.step
        self._logger.info(f"plan: {said.verdict.value} {said.rule} {plain(said.reason)}")
        self._record.count(
            time.monotonic(),
            "plan",
            f"{said.verdict.value} {said.rule}",
            reason=said.reason,
            step=said.step,
            sha256=hashlib.sha256(asked).hexdigest(),
        )
        return response

    def _judged(self, question: bytes) -> "Future[Verdict]":
        """The verdict on a question. A plan that is allowed begins when that is known: before
        whoever waits for it is told, a stop may have come."""
        future: Future[Verdict] = Future()

        def answered(verdict: Verdict, course: Course | None) -> None:
            now = time.monotonic()
            said = self._review.answer(question, verdict, now)
            if said.verdict is Judgement.ALLOW and course is not None:
                self._begin(course, now)
            future.set_result(said)

        if self._judge is None:
            future.set_result(NO_PROFILE)
        else:
            self._judge.ask(question, time.monotonic(), answered)
        return future

    def close(self) -> None:
        """Leave no process and no socket behind."""
        if self._judge is not None:
            self._judge.close()
        if self._channel is not None:
            self._channel.close()

    def _on_judge(self, text: str, fault: bool) -> None:
        if fault:  # two lines: rclpy wants one severity for each place that logs
            self._logger.error(text)
        else:
            self._logger.info(text)

    def _report(self, report: Report) -> None:
        if report.vote is None or report.counted is None:
            self._logger.error(f"user {report.uid} may not approve, and was turned away")
            self._record.count(time.monotonic(), "turned_away", f"user {report.uid}")
        else:
            vote, outcome = report.vote, report.counted.outcome.value
            self._logger.warning(
                f"user {report.uid}, {vote.approver!r}: {vote.decision.value} {vote.id}: {outcome}"
            )
            self._record.note(
                "vote",
                uid=report.uid,
                approver=vote.approver,
                decision=vote.decision.value,
                id=vote.id,
                outcome=outcome,
            )


def _operators(own: dict[str, Any]) -> Operators:
    """Who may use the channel, by the gate's settings; SettingsWrong for who does not exist."""
    try:
        group = grp.getgrnam(own["operator_group"]).gr_gid if own["operator_group"] else None
        planner = pwd.getpwnam(own["planner_user"]).pw_uid if own["planner_user"] else None
    except KeyError as error:
        raise SettingsWrong(f"parameters operator_group, planner_user: {error.args[0]}") from None
    return Operators(
        group=os.getegid() if group is None else group,
        planners=frozenset() if planner is None else frozenset({planner}),
    )
