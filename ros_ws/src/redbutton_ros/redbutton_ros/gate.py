"""The gate: the only way from the planner's ROS domain into the robot's; it makes the heartbeat.

A thin shell. The rules of passing stand in `redbutton.gate`, what crosses in
`redbutton.crossing`, the rules of the link in `redbutton.session`; parameters stand in `settings`.

One process with a node in each domain, both turned by one executor in one thread. The timer that
turns the link runs there too, so an executor that hangs makes no heartbeat (SR-20). With planner
and robot in one domain there is one node.

| name | in the domain of | type | what |
|---|---|---|---|
| inputs, outputs | as configured | Twist, TwistStamped, JointTrajectory | asked for; passed |
| actions | both | as configured | goals that pass, cancelled at a stop |
| topics back | robot, to planner | as configured | to read only |
| estop/state (latched) | both | redbutton_msgs/SafetyState | measured state |
| estop/e_stop (latched) | both | std_msgs/Bool | true unless measured RUN |
| estop/lock | robot | std_msgs/Bool | the same at 10 Hz, for twist_mux |
| estop/stop (service) | both | std_srvs/Trigger | request a stop |
| estop/request_stop (service) | both | redbutton_msgs/RequestStop | with category and reason |
| estop/check_plan (service) | planner | redbutton_msgs/CheckPlan | may this plan be carried out? |
| planner/alive | planner | std_msgs/Empty | heard often enough, if that is asked for |
| /diagnostics | robot | diagnostic_msgs/DiagnosticArray | controller and gate |

There is no service that resets: that is a person at the controller. It is no lifecycle node: its
transitions would be services that say when it may work, beside the one authority for that.
"""

import math
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Empty

from redbutton import attestation, configuration, key
from redbutton.approval import sealed
from redbutton.checks.execution import Course
from redbutton.checks.judge import NOT_JUDGED
from redbutton.checks.profile import RobotProfile
from redbutton.checks.verdict import ALLOWED, Judgement
from redbutton.conduct import ConductWatch, Offence
from redbutton.crossing import Input, Side, TopicBack
from redbutton.gate import Gate
from redbutton.model import State
from redbutton.owner import ConductExceeded, Owner
from redbutton.planner_unit import PlannerActed, unit_of
from redbutton.record.diary import digest_of, open_diary
from redbutton.session import Fault, Hello, Transition
from redbutton.stop_log import StopRequested
from redbutton_msgs.srv import CheckPlan
from redbutton_ros import settings
from redbutton_ros.actions import ActionProxy
from redbutton_ros.checks import Checks
from redbutton_ros.convert import Conduct
from redbutton_ros.kinds import load
from redbutton_ros.motion import Motion
from redbutton_ros.plans import Plans
from redbutton_ros.process import run
from redbutton_ros.reports import Reports
from redbutton_ros.stops import StopServices
from redbutton_ros.strangers import Strangers

TURN_S = 0.005
REPEAT_S = 0.1  # states are told again, and strangers looked for
DIAGNOSTICS_S = 1.0
HANG_S = 0.1  # a turn that comes later than this has hung
ALIVE = "planner/alive"
ENCLAVE = "--enclave"
STILL = 0.01  # m/s, rad/s: standstill
PLAN_OFFENCES = {
    CheckPlan.Response.REFUSE: Offence.REFUSED,
    CheckPlan.Response.HOLD: Offence.HELD,
}


class GateNodes:
    """The nodes and what they do. See the module."""

    def __init__(self) -> None:
        """Open the port; a RedbuttonError says why it could not."""
        self._opened = ExitStack()
        self._planner_context: Context | None = None
        self._robot = self._planner = Node("gate")
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        own, crossing = settings.read(self._robot)
        self._logger = self._robot.get_logger()
        if crossing.single_domain:
            self._logger.warning(
                "planner and robot share a ROS domain: the planner can reach past the gate"
            )
        else:
            self._planner = self._node_in(own["planner_domain"])
        profile = self._profile(own)
        keys = Path(own["key_file"] or key.default_file())
        self._offences = ConductWatch(profile.conduct if profile else None)
        link_key = key.load_private(keys)
        self._record = open_diary(own["record"] or None)
        self._opened.callback(self._record.close)
        self._port = Owner(
            own["port"] or None,
            link_key,
            attestation.expected(keys),
            planner=unit_of(configuration.load().planner),
            conduct=self._offences,
            record=self._record,
        )
        self._opened.callback(self._port.close)
        self._record.begin(
            port=self._port.port,
            profile=digest_of(Path(own["profile"]) if own["profile"] else None),
            parameters=own,
        )
        now = time.monotonic()
        self._crossing = crossing
        self._gate = Gate(
            crossing.inputs,
            [action.name for action in crossing.actions],
            own["command_age"],
            own["rest"],
            self._offences,
        )
        self._conduct = Conduct(single_domain=crossing.single_domain)
        self._shown: tuple[object, ...] | None = None
        self._repeat = self._diagnose = 0.0
        self._turned = math.inf
        # What must be heard, and how often in seconds, for a heartbeat.
        self._must_hear = {
            topic: timeout
            for topic, timeout in (
                (ALIVE, own["planner_timeout"]),
                (own["odometry"], own["odometry_timeout"]),
            )
            if timeout
        }
        self._heard: dict[str, float] = {}
        self._odometry = own["odometry"]
        self._board = ""

        sides = {Side.PLANNER: self._planner, Side.ROBOT: self._robot}
        self._checks = Checks(self._robot, crossing, profile, own) if profile else None
        self._plans = Plans(self._robot, profile, own, self._begin_plan, self._record)
        self._opened.callback(self._plans.close)
        self._motion = Motion(
            crossing,
            sides,
            self._gate,
            self._port.state,
            own["deceleration"],
            self._checks,
            self._record,
        )
        self._actions = [
            ActionProxy(action, self._planner, self._robot, self._goal_passes)
            for action in crossing.actions
        ]
        for back in crossing.topics_back:
            self._bring_back(back)
        self._reports = Reports(self.nodes)
        self._stops = StopServices(self.nodes, self._request_stop)
        self._planner.create_service(
            CheckPlan,
            "estop/check_plan",
            self._on_check_plan,
            callback_group=ReentrantCallbackGroup(),  # it waits for the process that judges
        )
        if ALIVE in self._must_hear:
            self._planner.create_subscription(Empty, ALIVE, self._on_alive, 10)
        if self._odometry:
            self._robot.create_subscription(
                load("nav_msgs/msg/Odometry"), self._odometry, self._on_odometry, 10
            )
        guarded = [*self._motion.topics, *self._reports.guarded]
        self._strangers = Strangers(self._robot, guarded if own["watch_strangers"] else [], now)
        self._strangers_known: set[str] = set()
        if not self._record.on:
            self._logger.warning("nothing is recorded: see redbutton log init")
        self._robot.create_timer(TURN_S, self._turn)

    @property
    def nodes(self) -> list[Node]:
        """One in each domain, the robot's first."""
        return [self._robot] if self._planner is self._robot else [self._robot, self._planner]

    def _node_in(self, domain: int) -> Node:
        """The planner's side: it serves no parameters, and takes no remapping of the robot's."""
        self._planner_context = Context()
        rclpy.init(args=_planner_arguments(), context=self._planner_context, domain_id=domain)
        return Node(
            "gate",
            context=self._planner_context,
            namespace=self._robot.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
            parameter_overrides=[Parameter("start_type_description_service", value=False)],
        )

    def _profile(self, own: dict[str, Any]) -> RobotProfile | None:
        """Of the robot, if it may be in force; said aloud if it was not before."""
        if not own["profile"]:
            return None
        file = Path(own["profile_in_force"] or sealed.DEFAULT_FILE)
        profile, how = sealed.admit(Path(own["profile"]), file)
        if how:
            self._logger.warning(f"another profile is in force: {how}")
        return profile

    def _bring_back(self, back: TopicBack) -> None:
        """Hand a topic of the robot's on to the planner, as it is on the wire."""
        kind = load(back.type)
        publisher = self._planner.create_publisher(kind, back.topic, 10)
        self._robot.create_subscription(kind, back.topic, publisher.publish, 10, raw=True)

    def _turn(self) -> None:
        """Serial in, heartbeat out, rest where that is due, state told, requests answered."""
        now = time.monotonic()
        self._notice_a_hang(now)
        for event in self._port.turn(alive=not self._conduct.withheld):
            self._log(event)
        state = self._port.state()
        ran = self._gate.running
        running = self._gate.observe(state, now)
        if ran != running:
            self._plans.stopped()
            if self._checks is not None:
                self._checks.stopped()  # a plan from before the reset is none either
        self._plans.turn(now)
        self._motion.turn(state, now)
        for action in self._actions:
            action.turn(None if running else f"stop: {state.sentence()}", now)
        self._stops.turn(state, now)
        shown = (state.state, state.load, state.causes, state.present, state.measured)
        if shown != self._shown or now >= self._repeat:
            self._shown, self._repeat = shown, now + REPEAT_S
            self._look_around(now)
            self._reports.tell(state, self._gate, self._conduct)
        if now >= self._diagnose:
            self._diagnose = now + DIAGNOSTICS_S
            inputs = {f"input {i.name}": self._said_of(i, now) for i in self._crossing.inputs}
            conduct = {f"conduct {name}": n for name, n in self._offences.counts(now).items()}
            self._reports.diagnose(state, self._conduct, inputs | conduct, self._board)

    def _notice_a_hang(self, now: float) -> None:
        late = now - self._turned
        self._turned = now
        if late > HANG_S:
            hung = f"the gate's executor, for {late:.2f} s"
            self._logger.error(f"hung: {hung}")
            self._record.count(now, "hung", "gate", seconds=round(late, 2))
            self._conduct = Conduct(self._conduct.withheld, hung, self._conduct.single_domain)

    def _look_around(self, now: float) -> None:
        """Whether everything that a heartbeat proves is there (SR-20), and nobody else (SR-24)."""
        fault = self._port.session.fault
        withheld = [str(fault)] if fault else []
        strangers = self._strangers.found(now)
        if strangers and not self._strangers_known:
            self._request_stop(0, strangers[0])
        new = set(strangers) - self._strangers_known
        self._offences.count(Offence.STRANGERS, now, len(new))
        self._strangers_known = set(strangers)
        withheld += strangers
        for topic, timeout in self._must_hear.items():
            silence = now - self._heard.get(topic, -math.inf)
            if silence > timeout:
                withheld.append(f"{topic} {_not_heard(silence)}")
        for entry in self._crossing.inputs:
            silence = self._gate.silence(entry.name, now)
            if entry.required and silence > entry.deadline:
                withheld.append(f"input {entry.name} {_not_heard(silence)}")
        for action in self._actions:
            unended = action.unended
            if unended and not self._gate.running:
                withheld.append(f"action {action.name}: the robot's server has not ended a goal")
        if withheld and not self._conduct.withheld:
            self._logger.error(f"no heartbeat: {'; '.join(withheld)}")
            self._record.count(now, "withheld", "gate", reasons=withheld)
        self._conduct = Conduct(withheld, self._conduct.hung, self._conduct.single_domain)

    def _said_of(self, entry: Input, now: float) -> str:
        silence = self._gate.silence(entry.name, now)
        return f"{entry.side.value}, priority {entry.priority}, {_heard(silence)}"

    def _goal_passes(self, name: str, server_is_there: bool, goal: Any) -> bool:
        now = time.monotonic()

        def check() -> str:
            said = self._checks.goal(name, goal, now) if self._checks is not None else ALLOWED
            return "" if said.verdict is Judgement.ALLOW else f"{said.rule}: {said.reason}"

        verdict = self._gate.goal(name, server_is_there, self._port.state(), now, check)
        if not verdict.passed:
            self._logger.warning(f"goal for {name} refused: {verdict.reason}")
            self._record.count(now, "refused", name, reason=verdict.reason)
        return verdict.passed

    def _on_alive(self, _: Any) -> None:
        self._heard[ALIVE] = time.monotonic()

    def _on_odometry(self, message: Any) -> None:
        """Standstill during a category 1 stop cuts the power sooner (SR-05)."""
        self._heard[self._odometry] = time.monotonic()
        if self._port.state().state is not State.STOPPING:
            return
        twist = message.twist.twist
        parts = (twist.linear.x, twist.linear.y, twist.linear.z)
        turns = (twist.angular.x, twist.angular.y, twist.angular.z)
        if math.hypot(*parts) < STILL and math.hypot(*turns) < STILL:
            self._port.standstill()

    async def _on_check_plan(self, request: Any, response: Any) -> Any:
        answer = await self._plans.answer(request.plan, response)
        if (offence := PLAN_OFFENCES.get(answer.verdict)) and answer.rule not in NOT_JUDGED:
            self._offences.count(offence, time.monotonic())
        return answer

    def _begin_plan(self, course: Course, now: float) -> None:
        if self._checks is not None:
            self._checks.begin(course, now)

    def _request_stop(self, category: int, reason: str) -> bool:
        return self._port.stop(category, reason)

    def _log(self, event: object) -> None:
        if isinstance(event, Transition):
            self._logger.warning(
                f"{event.before.value} -> {event.after.value}: {event.cause or 'reset'}"
            )
        elif isinstance(event, Hello):
            self._board = event.identity.board
            self._logger.info(f"controller {self._board}, firmware {event.identity.firmware}")
        elif isinstance(event, StopRequested | PlannerActed):
            self._logger.warning(event.sentence())
        elif isinstance(event, ConductExceeded):
            self._logger.error(event.words)
        elif isinstance(event, Fault):
            if not event.error.survivable:
                raise event.error
            self._logger.error(str(event.error))

    def close(self) -> None:
        """Give up the operators' socket and the port, then the nodes."""
        self._opened.close()
        for node in self.nodes:
            node.destroy_node()
        if self._planner_context is not None:
            self._planner_context.try_shutdown()


def _planner_arguments() -> list[str]:
    """For the context on the planner's side: an enclave (SROS2) of its own below the gate's."""
    if ENCLAVE not in sys.argv[:-1]:
        return []
    own = sys.argv[sys.argv.index(ENCLAVE) + 1]
    return ["--ros-args", ENCLAVE, f"{own.rstrip('/')}/planner_side"]


def _not_heard(silence: float) -> str:
    return "was never heard" if math.isinf(silence) else f"was not heard for {silence:.1f} s"


def _heard(silence: float) -> str:
    return "never heard" if math.isinf(silence) else f"heard {silence:.1f} s ago"


def main() -> None:
    """Run the gate until it is told to end; a fault is one line and an exit code."""
    run("gate", GateNodes)


if __name__ == "__main__":
    main()
