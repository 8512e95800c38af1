"""With a profile, the gate lets nothing pass that would take the robot where it may not go."""

import base64
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Pose, PoseArray, Twist
from nav_msgs.msg import Odometry
from ros_side import CountingRobot, MakeScene, Scene, speeds, twist, wait
from test_msgs.action import Fibonacci

from redbutton.approval import sealed
from redbutton.approval.ballot import Decision, cast, public_key
from redbutton.approval.channel import Operator, socket_path
from redbutton.approval.desk import Outcome
from redbutton.checks.profile import EXAMPLES
from redbutton.errors import NoContact
from redbutton_msgs.srv import CheckPlan

PROFILE = EXAMPLES / "mobile_base.yaml"
# How soon a gate is missed is tried elsewhere: here a busy machine must not stop the robot.
PATIENT = {"heartbeat_timeout_ms": 1000}
GIVEN = {"profile": PROFILE, "pose": "pose", "people": "people", **PATIENT}
HELD = ("pick Cup", "turn on Tap")  # the tap is left on
SEEN_S = 0.05
SOON_S = 20.0
NEW_S = 0.6  # what follows after such a silence is a new command; one that comes late is none
TO_9 = {"min": 0, "max": 9}
FAST = 0.8  # m/s, the profile's limit
Planned = tuple[list[float], Scene, list[Any]]
MakeRobot = Callable[..., tuple[Scene, list[Any]]]


def stamp(message: Any) -> Any:
    """Made now, in the profile's frame."""
    message.header.frame_id = "map"
    seconds, message.header.stamp.nanosec = divmod(time.time_ns(), 1_000_000_000)
    message.header.stamp.sec = seconds
    return message


def odometry(x: float, y: float) -> Odometry:
    """At a place, looking along x."""
    message = stamp(Odometry())
    message.pose.pose.position.x, message.pose.pose.position.y = x, y
    message.pose.pose.orientation.w = 1.0
    return message


def crowd(*places: tuple[float, float]) -> PoseArray:
    message = stamp(PoseArray())
    for x, y in places:
        pose = Pose()
        pose.position.x, pose.position.y = x, y
        message.poses.append(pose)
    return message


@pytest.fixture
def robot(scene: MakeScene) -> MakeRobot:
    """A robot that runs, at a place, with these people around it; what it is told to do."""

    def make(
        at: Sequence[float] | None = (0.0, 0.0), people: Any = (), **given: Any
    ) -> tuple[Scene, list[Any]]:
        here = scene(**{**GIVEN, **given})
        node = here.robot.node
        if at is not None:
            poses = here.robot.say(Odometry, "pose")
            node.create_timer(SEEN_S, lambda: poses.publish(odometry(*at)))
        if people is not None:
            seen = here.robot.say(PoseArray, "people")
            node.create_timer(SEEN_S, lambda: seen.publish(crowd(*people)))
        time.sleep(4 * SEEN_S)
        return here, here.robot.hear(Twist, "cmd_vel")

    return make


def ask(here: Scene, speed: float, seconds: float = 0.3) -> None:
    """The planner, 50 times a second."""
    here.send(here.planner.say(Twist, "cmd_vel_request"), twist(speed), seconds)


@pytest.mark.requirement("SR-24")
def test_what_the_profile_allows_passes(robot: MakeRobot) -> None:
    here, heard = robot()
    assert moves(here, heard), here.state.refusal


@pytest.mark.requirement("SR-24")
def test_what_is_too_fast_or_too_sudden_is_cut_where_the_profile_says_so(robot: MakeRobot) -> None:
    here, heard = robot()

    def comes_up_to_the_limit() -> bool:
        time.sleep(NEW_S)
        ask(here, 5.0, 2.0)
        return FAST in [round(speed, 6) for speed in speeds(heard)]

    assert wait(comes_up_to_the_limit, SOON_S), here.state.refusal
    moving = [speed for speed in speeds(heard) if speed]
    assert max(moving) <= FAST + 1e-9
    assert moving[0] < FAST, "from rest it comes up on a ramp"


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("at", "people", "rule"),
    [
        (None, (), "motion.pose_unknown"),
        ((0.0, 0.0), None, "motion.people_unknown"),
        ((7.62, -4.0), (), "motion.keep_out"),
        ((9.62, 0.0), (), "motion.workspace"),
        ((0.0, 0.0), ((0.9, 0.1),), "motion.separation"),
        ((0.0, 0.0), ((float("nan"), 0.0),), "motion.finite"),
    ],
)
def test_what_it_forbids_is_refused_with_its_rule(
    robot: MakeRobot, at: Any, people: Any, rule: str
) -> None:
    here, heard = robot(at, people)
    assert refused_by(here, rule), here.state.refusal
    assert not any(speeds(heard))
    assert here.stage.board.load, "a refusal is no stop"


@pytest.mark.requirement("SR-24")
def test_an_action_that_the_profile_does_not_name_is_refused(robot: MakeRobot) -> None:
    here, _ = robot(actions="[count]", action__count__type="test_msgs/action/Fibonacci")
    counting = CountingRobot(here.robot)

    def refused_by_the_profile() -> bool:
        assert not here.planner.send_goal(Fibonacci, "count", Fibonacci.Goal(order=3)).accepted
        time.sleep(NEW_S)
        return here.state.refusal == "profile.action: the profile has no action count"

    assert wait(refused_by_the_profile, SOON_S), here.state.refusal
    assert counting.counted == 0


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize("named", [{}, {"order": {"type": "number", "unit": "1", "range": TO_9}}])
def test_a_goal_takes_only_what_the_profile_names(
    robot: MakeRobot, tmp_path: Path, named: dict[str, Any]
) -> None:
    profile = yaml.safe_load(PROFILE.read_text())
    profile["actions"]["count"] = {"parameters": named}
    file = tmp_path / "robot.yaml"
    file.write_text(json.dumps(profile))
    here, _ = robot(
        actions="[count]", action__count__type="test_msgs/action/Fibonacci", profile=file
    )
    counting = CountingRobot(here.robot)

    def taken(order: int) -> bool:
        time.sleep(NEW_S)
        goal = Fibonacci.Goal(order=order)
        return bool(here.planner.send_goal(Fibonacci, "count", goal).accepted)

    assert wait(lambda: taken(3 if named else 0), SOON_S), here.state.refusal
    assert not taken(10)
    assert wait(lambda: here.state.refusal.startswith("profile.parameter")), here.state.refusal
    assert wait(lambda: counting.counted == (3 if named else 0)), (
        "the robot saw the one goal that passed"
    )


# --- plans


@pytest.fixture
def planned(robot: MakeRobot, tmp_path: Path) -> Planned:
    """A robot at a place that can be changed, that moves only as a checked plan says."""
    profile = yaml.safe_load(PROFILE.read_text())
    profile["execution"] = {"corridor": 0.6, "lifetime": 60}
    file = tmp_path / "robot.yaml"
    file.write_text(json.dumps(profile))
    at = [0.0, 0.0]
    return at, *robot(at, profile=file)


def plan_to(here: Scene, place: str) -> None:
    """The planner asks, and is allowed."""
    request = CheckPlan.Request(plan=json.dumps({"plan": [f"go to {place}"]}))
    said: list[Any] = []

    def allowed() -> bool:
        said.append(here.planner.call(CheckPlan, "estop/check_plan", request))
        return bool(said[-1].verdict == CheckPlan.Response.ALLOW)

    assert wait(allowed, SOON_S), said[-1]


def nothing() -> None:
    """Before an attempt."""


def refused_by(here: Scene, rule: str, before: Callable[[], object] = nothing) -> bool:
    """Whether driving on is refused by this rule. `before`: of each attempt, as on a busy machine
    the gate may have lost contact meanwhile, and with it the plan."""

    def refused() -> bool:
        time.sleep(NEW_S)  # after a silence it is a new command
        before()
        ask(here, 0.3)
        return bool(wait(lambda: here.state.refusal.startswith(rule), 1.0))

    return wait(refused, SOON_S)


def moves(here: Scene, heard: list[Any], before: Callable[[], object] = nothing) -> bool:
    """Whether driving on passes."""

    def passes() -> bool:
        time.sleep(NEW_S)
        before()
        heard.clear()
        ask(here, 0.3)
        return wait(lambda: 0.3 in speeds(heard), 1.0)

    return wait(passes, SOON_S)


@pytest.mark.requirement("SR-24")
def test_motion_is_held_to_the_plan_that_was_checked(planned: Planned) -> None:
    at, here, heard = planned

    def off_the_way() -> None:
        at[1] = 0.0
        time.sleep(4 * SEEN_S)
        plan_to(here, "packing")
        at[1] = 2.0
        time.sleep(4 * SEEN_S)

    assert refused_by(here, "motion.no_plan")
    assert not any(speeds(heard))
    assert moves(here, heard, lambda: plan_to(here, "packing")), here.state.refusal
    assert refused_by(here, "motion.corridor", off_the_way), here.state.refusal


@pytest.mark.requirement("SR-10", "SR-24")
def test_a_plan_from_before_a_stop_moves_nothing(planned: Planned) -> None:
    _, here, heard = planned
    assert moves(here, heard, lambda: plan_to(here, "packing")), here.state.refusal
    here.stage.board.press()
    assert here.stage.board.wait_load(False, 1.0)
    here.stage.board.release()
    assert wait(here.stage.reset, SOON_S)
    heard.clear()
    assert refused_by(here, "motion.no_plan")
    assert not any(speeds(heard))


class Planning:
    """The planner that asks about plans, and Anna, who may approve them."""

    def __init__(self, here: Scene, key: bytes) -> None:
        self.here = here
        self._key = key
        self._operator = Operator(socket_path())

    def ask(self, *steps: str) -> Any:
        """About a plan in a world that has nothing special in it. On a busy machine the gate loses
        contact for a moment: that ends what is asked, as a stop does."""
        answers: list[Any] = []

        def answered() -> bool:
            answers.append(self.here.planner.result(self.ask_later(*steps)))
            return bool(answers[-1].rule != "judge.stopped")

        assert wait(answered, SOON_S), answers[-1]
        return answers[-1]

    def ask_later(self, *steps: str) -> Any:
        """The same, without waiting."""
        request = CheckPlan.Request(plan=json.dumps({"plan": list(steps)}))
        return self.here.planner.call_later(CheckPlan, "estop/check_plan", request)

    def anna_says(self, decision: Decision) -> None:
        """To the one plan that is held."""
        (waiting,) = self._operator.pending().pending
        vote = cast(waiting.held, "anna", decision, time.time(), self._key)
        assert self._operator.vote(vote).outcome is Outcome.COUNTED


@pytest.fixture
def planning(scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planning:
    """A gate whose profile lets Anna approve plans."""
    key = os.urandom(32)
    profile = yaml.safe_load(PROFILE.read_text())
    anything = {"type": "text", "optional": True}
    with_roles = {"parameters": {"object": anything, "recipient": anything}}
    profile["actions"] = dict.fromkeys(("pick", "place", "throw", "turn_on"), with_roles)
    profile["approvals"] = {"plan": {"k": 1, "names": ["anna"]}}
    profile["approvers"] = {"anna": base64.b64encode(public_key(key)).decode()}
    file = tmp_path / "robot.yaml"
    file.write_text(json.dumps(profile))
    monkeypatch.setenv("REDBUTTON_OPERATOR_DIR", str(tmp_path / "operator"))
    return Planning(scene(profile=file, **PATIENT), key)


@pytest.mark.requirement("SR-24")
def test_a_plan_without_harm_is_allowed_and_one_with_harm_names_rule_and_step(
    planning: Planning,
) -> None:
    harmless = planning.ask("pick Cup", "place Cup on Table")
    assert (harmless.verdict, harmless.step) == (CheckPlan.Response.ALLOW, -1)
    harmful = planning.ask("pick Vase", "throw Vase")
    assert (harmful.verdict, harmful.step) == (CheckPlan.Response.REFUSE, 1)
    assert harmful.rule == "throw.hazard"


@pytest.mark.requirement("SR-20", "SR-24")
def test_plans_that_take_long_to_judge_stop_nothing(planning: Planning) -> None:
    endless = planning.ask(*["pick Cup"] * 10_000)
    assert (endless.verdict, endless.rule) == (CheckPlan.Response.REFUSE, "request.malformed")
    things = ("Cup", "Vase", "Knife", "Plate", "Book", "Pan", "Walker")
    long = [
        f"pick {things[i % 7]}" if i % 2 else f"place {things[i % 5]} on Table"
        for i in range(1000)
    ]
    waiting = [planning.ask_later(*long, f"pick {thing}") for thing in things]
    for future in waiting:
        said = planning.here.planner.result(future, 2 * SOON_S)
        assert said.rule not in ("request.malformed", "judge.busy")
    assert planning.here.stage.board.load
    assert planning.ask("pick Cup", "place Cup on Table").verdict == CheckPlan.Response.ALLOW


def judge_of(here: Scene) -> int:
    """The process that judges the gate's plans."""
    assert here.stage.gate
    gate = here.stage.gate.pid
    (child,) = Path(f"/proc/{gate}/task/{gate}/children").read_text().split()
    return int(child)


@pytest.mark.requirement("SR-20", "SR-24")
def test_when_what_judges_plans_is_halted_or_killed_they_are_refused_and_the_robot_runs(
    planning: Planning,
) -> None:
    for how in (signal.SIGSTOP, signal.SIGKILL):
        planning.ask("pick Cup")  # there is one
        judge = judge_of(planning.here)
        os.kill(judge, signal.SIGSTOP)
        future = planning.ask_later("pick Cup")
        time.sleep(NEW_S)
        os.kill(judge, how)
        said = planning.here.planner.result(future)
        assert said.verdict == CheckPlan.Response.REFUSE
        assert said.rule in ("judge.failed", "judge.stopped")
        assert planning.here.stage.board.load
        assert wait(lambda: planning.ask("pick Cup").verdict == CheckPlan.Response.ALLOW)
        assert judge_of(planning.here) != judge
    assert planning.here.stage.board.load


@pytest.mark.requirement("SR-10", "SR-24")
def test_a_plan_that_is_being_judged_at_a_stop_moves_nothing_after_it(planned: Planned) -> None:
    _, here, heard = planned
    plan_to(here, "packing")
    judge = judge_of(here)
    os.kill(judge, signal.SIGSTOP)
    request = CheckPlan.Request(plan=json.dumps({"plan": ["go to packing"]}))
    future = here.planner.call_later(CheckPlan, "estop/check_plan", request)
    time.sleep(NEW_S)
    here.stage.board.press()
    assert here.stage.board.wait_load(False, 1.0)
    said = here.planner.result(future)
    os.kill(judge, signal.SIGCONT)
    assert (said.verdict, said.rule) == (CheckPlan.Response.REFUSE, "judge.stopped")
    here.stage.board.release()
    assert wait(here.stage.reset, SOON_S)
    heard.clear()
    assert refused_by(here, "motion.no_plan")
    assert not any(speeds(heard))


@pytest.mark.requirement("SR-25", "SR-26")
def test_a_held_plan_is_allowed_once_after_a_person_has_approved_it(planning: Planning) -> None:
    assert planning.ask(*HELD).verdict == CheckPlan.Response.HOLD
    assert planning.ask(*HELD).verdict == CheckPlan.Response.HOLD, "asking again approves nothing"
    planning.anna_says(Decision.APPROVE)
    assert planning.ask(*HELD, "pick Cup").verdict == CheckPlan.Response.HOLD, "it is another one"
    assert planning.ask(*HELD).verdict == CheckPlan.Response.ALLOW
    assert planning.ask(*HELD).verdict == CheckPlan.Response.HOLD, "once"


@pytest.mark.requirement("SR-26")
def test_a_held_plan_that_a_person_denies_is_refused(planning: Planning) -> None:
    planning.ask(*HELD)
    planning.anna_says(Decision.DENY)
    assert planning.ask(*HELD).verdict == CheckPlan.Response.REFUSE


@pytest.mark.requirement("SR-10", "SR-26")
def test_a_stop_ends_what_was_approved_before_it(planning: Planning) -> None:
    planning.ask(*HELD)
    planning.anna_says(Decision.APPROVE)
    planning.here.stage.board.press()
    assert planning.here.stage.board.wait_load(False, 1.0)
    assert wait(lambda: planning.here.state.first_cause)
    assert planning.ask(*HELD).verdict == CheckPlan.Response.HOLD


@pytest.mark.requirement("SR-24")
def test_a_planner_that_floods_what_is_refused_gets_the_robot_stopped(
    robot: MakeRobot, tmp_path: Path
) -> None:
    """With that cause in state and diagnostics until the reset; then counting begins anew."""
    profile = yaml.safe_load(PROFILE.read_text())
    profile["conduct"] = {"refused": 30}
    file = tmp_path / "robot.yaml"
    file.write_text(json.dumps(profile))
    # Nothing may move there: the workspace ends.
    here, heard = robot((9.62, 0.0), profile=file, heartbeat_timeout_ms=1000, command_age=5.0)
    diagnostics = here.robot.hear(DiagnosticArray, "/diagnostics")
    publisher = here.planner.say(Twist, "cmd_vel_request")
    here.send(publisher, twist(0.3), 0.3)
    assert here.stage.board.load, "a few refusals are no stop"
    words = "unusual conduct: more than 30 refused requests in a minute"

    def stopped() -> bool:
        publisher.publish(twist(0.3))
        return not here.stage.board.load

    assert wait(stopped), (here.state, here.stage.gate_log.read_text()[-3000:])
    assert wait(lambda: here.state.load_proven_off and here.state.requested == words)
    assert here.state.first_cause == "stop requested"
    assert wait(lambda: diagnostics and words in diagnostics[-1].status[0].message)
    said = {value.key: value.value for value in diagnostics[-1].status[0].values}
    assert said["requested"] == words
    assert not any(speeds(heard))
    assert here.stage.reset()
    assert wait(lambda: here.state.requested == "")
    here.send(publisher, twist(0.0), 0.1)
    assert here.stage.board.load


# --- who may change the profile


@pytest.mark.requirement("SR-25", "SR-26")
def test_a_gate_does_not_start_with_a_changed_profile_that_its_approvers_have_not_signed(
    scene: MakeScene, tmp_path: Path
) -> None:
    profile = yaml.safe_load(PROFILE.read_text())
    profile["approvals"] = {"profile": {"k": 1, "names": ["anna"]}}
    profile["approvers"] = {"anna": base64.b64encode(public_key(os.urandom(32))).decode()}
    file, in_force = tmp_path / "robot.yaml", tmp_path / "in-force.yaml"
    file.write_text(json.dumps(profile))
    sealed.admit(file, in_force)
    profile["limits"]["linear_speed"] *= 2
    file.write_text(json.dumps(profile))
    with pytest.raises(NoContact, match="1 more of anna must sign it"):
        scene(profile=file, profile_in_force=in_force)
