"""The service that judges plans, and the operators' channel where people approve what is held.

Plans are judged by the shipped rules and the profile. Who must approve a held one is what the
profile says under `approvals`: for each hazard that it names there, and under `plan` for whatever
else was objected to. What nobody is named for nobody may approve.
"""

import grp
import hashlib
import os
import pwd
import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node

from redbutton.approval.channel import Channel, Operators, Report, socket_path
from redbutton.checks.plan import Action
from redbutton.checks.profile import RobotProfile
from redbutton.checks.request import RequestCheck
from redbutton.checks.review import Review, desk_of
from redbutton.checks.verdict import Judgement, refused
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
QUESTION_MAX = 8_000  # bytes, some hundred steps: more would keep the gate from its heartbeat


class Plans:
    """Plans and who approves them."""

    def __init__(
        self,
        node: Node,
        profile: RobotProfile | None,
        own: dict[str, Any],
        begin: Callable[[Sequence[Action], float], None],
        record: Diary,
    ) -> None:
        """`profile`: without one every plan is refused. `own`: the gate's settings. `begin`: told
        of each plan that is allowed, and when. RedbuttonError if operators cannot be heard."""
        self._record = record
        self._logger = node.get_logger()
        self._begin = begin
        self._channel: Channel | None = None
        self._check = RequestCheck(profile, longest=QUESTION_MAX)
        if profile is None:
            self._review = Review(lambda _: NO_PROFILE)
            return
        desk = desk_of(profile)
        if desk is not None:
            self._channel = Channel(socket_path(), desk, _operators(own), self._report)
        self._review = Review(self._check.judge, desk, profile.approvals)

    def turn(self, now: float) -> None:
        """Hear operators."""
        if self._channel is not None:
            self._channel.turn(now)

    def stopped(self) -> None:
        """Nothing that was held before goes on."""
        self._review.stopped()

    def answer(self, question: str, response: Any, now: float) -> Any:
        """Fill in the service's response."""
        said = self._review.answer(question, now)
        if said.verdict is Judgement.ALLOW:
            self._begin(self._check.actions(question), now)
        response.verdict = VERDICTS[said.verdict]
        response.rule, response.reason = said.rule, said.reason
        response.step = WHOLE_PLAN if said.step is None else said.step
        self._logger.info(f"plan: {said.verdict.value} {said.rule} {plain(said.reason)}")
        self._record.count(
            now,
            "plan",
            f"{said.verdict.value} {said.rule}",
            reason=said.reason,
            step=said.step,
            sha256=hashlib.sha256(question.encode(errors="replace")).hexdigest(),
        )
        return response

    def close(self) -> None:
        """Leave no socket behind."""
        if self._channel is not None:
            self._channel.close()

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
