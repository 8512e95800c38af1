"""What may move, and what is refused: limits, zones, people, joints. One behaviour each."""

import math
import time
from collections.abc import Sequence
from typing import Any

import pytest
import shapely
from checks_profiles import profile_of
from hypothesis import given, settings
from hypothesis import strategies as st

from redbutton.checks.motion import (
    START_OFF,
    JointPoint,
    MotionCheck,
    MotionVerdict,
    PersonSeen,
    Pose,
    Vector,
)
from redbutton.checks.verdict import Judgement
from redbutton.gate import REST_S

pytestmark = pytest.mark.requirement("SR-24")

LATENCY = 0.02
# Of the profile in checks_profiles.py, written out.
REACTION = 0.1 + LATENCY
DECELERATION = 0.5
RADIUS = 0.3
OFF = 0.03  # the robot's uncertainty
INTRUSION = 0.2
PERSON_OFF = 0.05
WALK = 1.6
HAIR = 1e-6

ZERO = (0.0, 0.0, 0.0)
ORIGIN = Pose(frame="map", x=0.0, y=0.0)
AROUND = [[-9, -9], [9, -9], [9, 9], [-9, 9]]
JOINT = {"position": {"min": -1, "max": 1}, "velocity": 0.5, "acceleration": 2, "effort": 10}
ARM = {"limits": {"joints": {"a": JOINT, "b": JOINT}}}
AT_ZERO = {"a": 0.0, "b": 0.0}


def check_of(**changes: Any) -> MotionCheck:
    return MotionCheck(profile_of(**changes), LATENCY)


def zone(kind: str, left: float, right: float = 9.0, **fields: Any) -> dict[str, Any]:
    """A zone across the way, from x = `left` on."""
    polygon = [[left, -9], [right, -9], [right, 9], [left, 9]]
    return {"name": "ahead", "kind": kind, "polygon": polygon, **fields}


def ask(
    check: MotionCheck,
    linear: Any = (0.5, 0.0, 0.0),
    angular: Any = ZERO,
    frame: Any = "base_link",
    now: Any = 0.0,
    pose: Any = ORIGIN,
    people: Any = (),
) -> MotionVerdict:
    return check.twist(linear, angular, frame, now, pose, people)


def rule(verdict: MotionVerdict) -> str:
    """The rule that refused, "" if none did."""
    assert verdict.allowed == (verdict.verdict.verdict is Judgement.ALLOW)
    assert verdict.allowed or verdict.verdict.reason
    return verdict.verdict.rule


def stopping_path(speed: float) -> float:
    """ISO 13855, K * T: on in the reaction time, then braking."""
    return speed * REACTION + speed**2 / (2 * DECELERATION)


# --- form


def test_a_command_within_all_limits_passes_as_it_is() -> None:
    verdict = ask(check_of())
    assert (rule(verdict), verdict.linear, verdict.angular) == ("", None, None)


@pytest.mark.parametrize(
    "vector",
    [
        (),
        (0.1, 0.0),
        (0.1,) * 4,
        "abc",
        {0.1, 0.2, 0.3},
        None,
        7,
        ("0.1", 0.0, 0.0),
        (True, 0.0, 0.0),
        (None, 0.0, 0.0),
        ([0.1], 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("part", ["linear", "angular"])
def test_what_is_not_three_numbers_is_refused(part: str, vector: Any) -> None:
    assert rule(ask(check_of(), **{part: vector})) == "motion.shape"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", range(6))
def test_a_command_that_is_not_finite_is_refused(axis: int, value: float) -> None:
    values = tuple(value if i == axis else 0.0 for i in range(6))
    assert rule(ask(check_of(), values[:3], values[3:])) == "motion.finite"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_not_finite_is_refused(value: float) -> None:
    assert rule(ask(check_of(), now=value)) == "motion.finite"
    assert rule(ask(check_of(), ZERO, now=value)) == "motion.finite"


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("part", ["x", "y", "z", "yaw", "stamp"])
def test_a_pose_that_is_not_finite_is_refused(part: str, value: float) -> None:
    pose = Pose.model_construct(**{**ORIGIN.model_dump(), part: value})
    assert rule(ask(check_of(), pose=pose)) == "motion.finite"


def test_a_pose_that_is_out_of_this_world_is_refused() -> None:
    check = check_of(zones=[zone("keep_out", 5.0)])
    far = Pose.model_construct(**{**ORIGIN.model_dump(), "x": 1e308})
    assert rule(ask(check, pose=far)) == "motion.shape"
    assert rule(check.path([ORIGIN, far], 0.0)) == "motion.shape"


@pytest.mark.parametrize("deceleration", [1e-9, 1e-150])
def test_a_path_without_an_end_is_refused(deceleration: float) -> None:
    check = check_of(zones=[zone("keep_out", -5.0, -4.0)], deceleration=deceleration)
    assert rule(ask(check)) == "motion.finite"


@pytest.mark.parametrize("part", ["x", "y", "stamp"])
def test_a_person_who_is_not_finite_is_refused(part: str) -> None:
    person = PersonSeen.model_construct(
        **{"name": "", "x": 5.0, "y": 5.0, "stamp": 0.0, part: math.nan}
    )
    assert rule(ask(check_of(), people=[person])) == "motion.finite"


@pytest.mark.parametrize("people", [0, "", {}, "ben", [None], [(1.0, 1.0)], iter(())])
def test_people_who_are_none_are_refused(people: Any) -> None:
    assert rule(ask(check_of(), people=people)) == "motion.shape"


def test_a_pose_that_is_none_is_refused() -> None:
    assert rule(ask(check_of(), pose=(0.0, 0.0))) == "motion.shape"


def test_a_base_turns_about_z_only() -> None:
    assert rule(ask(check_of(), angular=(0.1, 0.0, 0.0))) == "motion.shape"
    assert rule(ask(check_of(), angular=(0.0, 0.1, 0.0))) == "motion.shape"


@pytest.mark.parametrize("frame", ["map", "", "base_link ", None, 7, ["base_link"]])
def test_a_velocity_in_another_frame_is_refused(frame: Any) -> None:
    assert rule(ask(check_of(), frame=frame)) == "motion.frame"


def test_a_pose_in_another_frame_is_refused() -> None:
    assert rule(ask(check_of(), pose=Pose(frame="odom", x=0.0, y=0.0))) == "motion.frame"


def test_a_fault_in_a_rule_is_a_refusal() -> None:
    assert rule(ask(check_of(), (10**400, 0, 0))) == "motion.error"


def test_a_stop_latency_that_is_no_time_is_not_taken() -> None:
    for latency in (math.nan, math.inf, -0.1):
        with pytest.raises(ValueError, match="latency"):
            MotionCheck(profile_of(), latency)


# --- limits


@pytest.mark.parametrize(
    ("linear", "angular", "expected"),
    [
        ((0.9, 0.0, 0.0), ZERO, ""),
        ((0.9, 0.1, 0.0), ZERO, "motion.speed"),
        ((-0.95, 0.0, 0.0), ZERO, "motion.speed"),
        ((0.6, 0.6, 0.4), ZERO, "motion.speed"),
        (ZERO, (0.0, 0.0, 0.9), ""),
        (ZERO, (0.0, 0.0, -0.95), "motion.speed"),
    ],
)
def test_a_speed_beyond_its_limit_is_refused(
    linear: Vector, angular: Vector, expected: str
) -> None:
    check = check_of(limits={"linear_speed": 0.9, "angular_speed": 0.9})
    assert rule(ask(check, linear, angular)) == expected


@pytest.mark.parametrize("what", ["linear_speed", "angular_speed"])
def test_a_speed_is_cut_only_where_the_profile_says_so(what: str) -> None:
    limits = {"linear_speed": 0.5, "angular_speed": 0.5}
    check = check_of(limits=limits, clamp=[what])
    fast = {"linear_speed": (0.8, 0.0, 0.0), "angular_speed": (0.0, 0.0, 0.8)}
    both = [ask(check, fast["linear_speed"]), ask(check, ZERO, fast["angular_speed"])]
    assert [verdict.allowed for verdict in both] == [what == name for name in fast]


def test_a_command_is_cut_to_the_limit_and_keeps_its_curve() -> None:
    check = check_of(limits={"linear_speed": 0.5}, clamp=["linear_speed"])
    verdict = ask(check, (0.8, 0.0, 0.0), (0.0, 0.0, 0.4))
    assert verdict.linear == pytest.approx((0.5, 0.0, 0.0))
    assert verdict.angular == pytest.approx((0.0, 0.0, 0.25))


def test_what_is_cut_is_judged_as_it_is_cut() -> None:
    edge = RADIUS + OFF + stopping_path(0.5) + 0.01
    zones = [zone("keep_out", edge)]
    assert rule(ask(check_of(zones=zones), (0.8, 0.0, 0.0))) == "motion.keep_out"
    check = check_of(zones=zones, limits={"linear_speed": 0.5}, clamp=["linear_speed"])
    assert ask(check, (0.8, 0.0, 0.0)).linear == pytest.approx((0.5, 0.0, 0.0))


def test_a_robot_whose_profile_names_no_speed_does_not_move() -> None:
    check = check_of(limits={"linear_speed": 0, "angular_speed": 0})
    assert rule(ask(check, (0.01, 0.0, 0.0))) == "motion.speed"
    assert rule(ask(check, ZERO, (0.0, 0.0, 0.01))) == "motion.speed"


def test_no_more_commands_than_the_rate_pass_in_a_second() -> None:
    check = check_of(limits={"command_rate": 10})
    slow = (0.1, 0.0, 0.0)
    assert [rule(ask(check, slow, now=i * 0.05)) for i in range(10)] == [""] * 10
    assert rule(ask(check, slow, now=0.99, pose=None)) == "motion.rate"
    assert rule(ask(check, slow, now=1.0)) == ""


def test_a_rate_below_one_a_second_is_kept() -> None:
    check = check_of(limits={"command_rate": 0.25})
    times = (0.0, 3.9, 4.0, 7.0, 8.0)
    assert [ask(check, now=now).allowed for now in times] == [True, False, True, False, True]


def test_time_that_goes_backwards_is_refused() -> None:
    check = check_of()
    assert ask(check, ZERO, now=5.0).allowed
    assert rule(ask(check, (0.1, 0.0, 0.0), now=4.9)) == "motion.rate"


@pytest.mark.parametrize(("speed", "expected"), [(0.3, ""), (0.31, "motion.acceleration")])
def test_a_speed_that_grows_faster_than_its_limit_is_refused(speed: float, expected: str) -> None:
    check = check_of()  # 2 m/s^2
    ask(check, (0.1, 0.0, 0.0), now=0.0)
    assert rule(ask(check, (speed, 0.0, 0.0), now=0.1)) == expected


@pytest.mark.parametrize(("turn", "expected"), [(0.3, ""), (0.31, "motion.acceleration")])
def test_a_turn_that_grows_faster_than_its_limit_is_refused(turn: float, expected: str) -> None:
    check = check_of()
    ask(check, ZERO, (0.0, 0.0, 0.1), now=0.0)
    assert rule(ask(check, ZERO, (0.0, 0.0, turn), now=0.1)) == expected


def test_a_change_of_direction_is_a_change_of_speed() -> None:
    check = check_of()
    ask(check, (0.5, 0.0, 0.0), now=0.0)
    assert rule(ask(check, (-0.5, 0.0, 0.0), now=0.1)) == "motion.acceleration"


@pytest.mark.parametrize(("speed", "expected"), [(0.5, ""), (0.51, "motion.acceleration")])
def test_from_rest_it_begins_with_what_the_time_until_rest_gives(
    speed: float, expected: str
) -> None:
    check = check_of(limits={"linear_acceleration": 0.5 / REST_S})
    assert rule(ask(check, (speed, 0.0, 0.0), now=100.0)) == expected


def test_after_a_silence_the_robot_is_taken_to_rest() -> None:
    check = check_of(limits={"linear_acceleration": 0.5 / REST_S})
    ask(check, (0.5, 0.0, 0.0), now=0.0)
    assert rule(ask(check, (0.8, 0.0, 0.0), now=REST_S)) == "motion.acceleration"


def test_after_a_refusal_the_robot_is_taken_to_rest() -> None:
    check = check_of()
    ask(check, (0.5, 0.0, 0.0), now=0.0)
    ask(check, (math.nan, 0.0, 0.0), now=0.05)
    assert rule(ask(check, (0.5, 0.0, 0.0), now=0.1)) == "motion.acceleration"


@pytest.mark.parametrize("what", ["linear_acceleration", "angular_acceleration"])
def test_an_acceleration_is_cut_only_where_the_profile_says_so(what: str) -> None:
    check = check_of(clamp=[what])
    ask(check, ZERO, now=0.0)
    linear = ask(check, (0.9, 0.0, 0.0), now=0.1)
    ask(check, ZERO, now=0.2)
    angular = ask(check, ZERO, (0.0, 0.0, 0.9), now=0.3)
    if what.startswith("linear"):
        assert linear.linear == pytest.approx((0.2, 0.0, 0.0))
        assert rule(angular) == "motion.acceleration"
    else:
        assert rule(linear) == "motion.acceleration"
        assert angular.angular == pytest.approx((0.0, 0.0, 0.2))


def test_a_command_that_is_cut_again_and_again_reaches_its_speed() -> None:
    check = check_of(clamp=["linear_acceleration"])
    ask(check, ZERO, now=0.0)
    sent = [ask(check, (0.5, 0.0, 0.0), now=i / 10).linear for i in range(1, 5)]
    assert sent[:2] == [pytest.approx((0.2, 0, 0)), pytest.approx((0.4, 0, 0))]
    assert sent[2:] == [None, None]


@pytest.mark.parametrize(("third", "expected"), [(0.14, ""), (0.16, "motion.jerk")])
def test_a_jerk_is_refused(third: float, expected: str) -> None:
    check = check_of(limits={"linear_jerk": 10})  # the acceleration changes by 1 in 0.1 s
    ask(check, ZERO, now=0.0)
    assert rule(ask(check, (0.05, 0.0, 0.0), now=0.1)) == ""
    speed = 0.05 + third
    assert rule(ask(check, (speed, 0.0, 0.0), now=0.2)) == expected


def test_rest_always_passes() -> None:
    check = check_of(zones=[zone("keep_out", -9)], limits={"command_rate": 1, "linear_jerk": 1})
    for i in range(10):
        assert ask(check, ZERO, frame="", now=i / 100, pose=None, people=None).allowed


# --- where robot and people are


@pytest.mark.parametrize(
    "minds",
    [
        {"zones": [zone("keep_out", 5.0)]},
        {"zones": [zone("speed", 5.0, speed=0.1)]},
        {"zones": [zone("people", 5.0)]},
        {"people": {"default": {"distance": 1}}},
        {"limits": {"workspace": {"polygon": AROUND, "z": {"min": -1, "max": 1}}}},
    ],
    ids=["keep out", "speed", "people", "distance", "workspace"],
)
def test_without_a_pose_nothing_passes_that_a_place_matters_to(minds: dict[str, Any]) -> None:
    assert rule(ask(check_of(**minds), pose=None)) == "motion.pose_unknown"
    assert rule(ask(check_of(**minds))) == ""


def test_a_pose_is_needed_for_people_who_are_seen() -> None:
    person = PersonSeen(x=5.0, y=0.0, stamp=0.0)
    assert rule(ask(check_of(), pose=None, people=[person])) == "motion.pose_unknown"


def test_without_rules_on_places_no_pose_is_needed() -> None:
    assert rule(ask(check_of(), pose=None, people=None)) == ""


@pytest.mark.parametrize(
    ("age", "expected"), [(0.4, ""), (0.41, "motion.pose_unknown"), (-0.41, "motion.pose_unknown")]
)
def test_a_pose_that_is_too_old_is_none(age: float, expected: str) -> None:
    check = check_of(zones=[zone("keep_out", 5.0)], pose_age=0.4)
    pose = Pose(frame="map", x=0.0, y=0.0, stamp=1.0)
    assert rule(ask(check, now=1.0 + age, pose=pose)) == expected


@pytest.mark.parametrize(
    "minds", [{"people": {"default": {"distance": 1}}}, {"zones": [zone("people", 5.0)]}]
)
def test_where_people_matter_somebody_must_look_for_them(minds: dict[str, Any]) -> None:
    assert rule(ask(check_of(**minds), people=None)) == "motion.people_unknown"


# --- zones, ISO 13855:2010 clause 5


@pytest.mark.parametrize("speed", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
def test_towards_a_zone_it_is_refused_exactly_when_the_stopping_path_reaches_it(
    speed: float, gap: float, expected: str
) -> None:
    edge = stopping_path(speed) + RADIUS + OFF + gap
    check = check_of(zones=[zone("keep_out", edge)])
    assert rule(ask(check, (speed, 0.0, 0.0))) == expected


def test_away_from_a_zone_it_passes_and_along_it() -> None:
    zones = [zone("keep_out", RADIUS + OFF + HAIR)]
    for velocity in ((-0.5, 0.0, 0.0), (0.0, 0.5, 0.0)):
        assert rule(ask(check_of(zones=zones), velocity)) == ""
    assert rule(ask(check_of(zones=zones), ZERO, (0.0, 0.0, 1.0))) == ""


def test_the_heading_says_where_ahead_is() -> None:
    zones = [zone("keep_out", 0.5)]
    for yaw, expected in ((0.0, "motion.keep_out"), (math.pi / 2, ""), (math.pi, "")):
        pose = Pose(frame="map", x=0.0, y=0.0, yaw=yaw)
        assert rule(ask(check_of(zones=zones), pose=pose)) == expected


def test_an_older_pose_hides_how_far_the_robot_came_since() -> None:
    edge = stopping_path(0.5) + RADIUS + OFF + 0.1 * 1.0 - HAIR  # at most 1 m/s for 0.1 s
    check = check_of(zones=[zone("keep_out", edge)])
    assert rule(ask(check, now=0.0)) == ""
    assert rule(ask(check, now=0.1)) == "motion.keep_out"


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
@pytest.mark.parametrize("speed", [0.0, 1e-300, 1e-12, 1e-9, 1e-8])
def test_a_robot_that_turns_on_its_place_or_hardly_moves_is_where_it_is(
    speed: float, gap: float, expected: str
) -> None:
    check = check_of(zones=[zone("keep_out", RADIUS + OFF + gap)])
    assert rule(ask(check, (speed, 0.0, 0.0), (0.0, 0.0, 0.5))) == expected


def simulated(v: float, w: float, yaw: float) -> shapely.LineString:
    """The way of the robot's middle in small steps of time: reaction, then braking on its arc."""
    x = y = 0.0
    points = [(x, y)]
    step, time, speed = 1e-3, 0.0, v
    while speed > 0:
        turn = w * speed / v
        x += speed * math.cos(yaw + turn * step / 2) * step
        y += speed * math.sin(yaw + turn * step / 2) * step
        yaw += turn * step
        time += step
        points.append((x, y))
        if time >= REACTION:
            speed -= DECELERATION * step
    return shapely.LineString(points)


@settings(max_examples=150, deadline=None)
@given(
    v=st.floats(0.05, 1.0),
    w=st.floats(-1.0, 1.0),
    yaw=st.floats(-3.0, 3.0),
    x=st.floats(-1.5, 1.5),
    y=st.floats(-1.5, 1.5),
    turned=st.floats(0, 3),
)
def test_on_any_curve_it_is_refused_when_the_simulated_robot_reaches_the_zone(
    v: float, w: float, yaw: float, x: float, y: float, turned: float
) -> None:
    corners = [
        (x + 0.3 * math.cos(angle), y + 0.3 * math.sin(angle))
        for angle in (turned, turned + math.tau / 3, turned - math.tau / 3)
    ]
    check = check_of(zones=[{"name": "z", "kind": "keep_out", "polygon": corners}])
    pose = Pose(frame="map", x=0.0, y=0.0, yaw=yaw)
    refused = not ask(check, (v, 0.0, 0.0), (0.0, 0.0, w), pose=pose).allowed
    left = simulated(v, w, yaw).distance(shapely.Polygon(corners)) - RADIUS - OFF
    if abs(left) > 0.01:
        assert refused == (left < 0)


@pytest.mark.parametrize(
    ("side", "gap", "expected"), [(1, -0.001, "motion.keep_out"), (-1, 0.01, "")]
)
@pytest.mark.parametrize("angle", [0.01, 0.05, 0.1, 0.3, 0.45, 0.55, 0.8, 1.1])
def test_what_a_curve_passes_by_is_measured_from_the_curve(
    angle: float, side: int, gap: float, expected: str
) -> None:
    """1 m/s and 1 rad/s: a circle of 1 m around (0, 1), 1.12 rad of it until the robot stands."""

    def on_circle(radius: float, angle: float) -> tuple[float, float]:
        return radius * math.sin(angle), 1 - radius * math.cos(angle)

    radius = 1 + side * (RADIUS + OFF + gap)
    corners = [on_circle(radius, angle)]
    corners += [on_circle(radius + side * 0.1, angle + turned) for turned in (-0.02, 0.02)]
    check = check_of(zones=[{"name": "z", "kind": "keep_out", "polygon": corners}])
    assert rule(ask(check, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))) == expected


def test_a_mad_spin_costs_no_more_time_than_a_turn() -> None:
    fast = {"angular_speed": 1e6, "angular_acceleration": 1e6}
    check = check_of(limits=fast, zones=[zone("keep_out", 5.0)])
    begin = time.process_time()
    assert ask(check, (0.1, 0.0, 0.0), (0.0, 0.0, 4e5)).allowed
    assert time.process_time() - begin < 0.05


@pytest.mark.parametrize(
    ("speed", "at", "expected"),
    [
        (0.3, 0.0, ""),
        (0.31, 0.0, "motion.zone_speed"),
        (0.31, -2.0, ""),
        (0.31, 1.0 - RADIUS - OFF - stopping_path(0.31) - HAIR, ""),
        (0.31, 1.0 - RADIUS - OFF - stopping_path(0.31) + HAIR, "motion.zone_speed"),
    ],
)
def test_the_speed_of_a_zone_is_kept_from_where_it_could_stop_before_it(
    speed: float, at: float, expected: str
) -> None:
    left = -1.0 if at == 0.0 else 1.0
    check = check_of(zones=[zone("speed", left, speed=0.3)])
    pose = Pose(frame="map", x=at, y=0.0)
    assert rule(ask(check, (speed, 0.0, 0.0), pose=pose)) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.people_zone")])
def test_somebody_may_step_out_of_a_zone_of_people_at_any_time(gap: float, expected: str) -> None:
    speed = 0.4
    walked = WALK * (REACTION + speed / DECELERATION) + INTRUSION
    edge = stopping_path(speed) + RADIUS + OFF + walked + gap
    check = check_of(zones=[zone("people", edge)])
    assert rule(ask(check, (speed, 0.0, 0.0))) == expected


# --- people, ISO/TS 15066:2016, 5.5.4.2.3


def separation(speed: float) -> float:
    """S_p, term by term, from the middle of the robot."""
    s_h = WALK * (REACTION + speed / DECELERATION)
    s_r = speed * REACTION
    s_s = speed**2 / (2 * DECELERATION)
    return s_h + s_r + s_s + INTRUSION + PERSON_OFF + OFF + RADIUS


@pytest.mark.parametrize("speed", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.separation")])
def test_the_protective_separation_is_kept_from_a_person_ahead(
    speed: float, gap: float, expected: str
) -> None:
    person = PersonSeen(x=separation(speed) + gap, y=0.0, stamp=0.0)
    assert rule(ask(check_of(), (speed, 0.0, 0.0), people=[person])) == expected


def test_a_person_who_approaches_stops_the_robot_at_the_protective_separation() -> None:
    check = check_of()
    distances = [4.0 - i * WALK * 0.05 for i in range(50)]
    allowed = []
    for i, distance in enumerate(distances):
        now = i * 0.05
        pose = Pose(frame="map", x=0.0, y=0.0, stamp=now)
        person = PersonSeen(x=distance, y=0.0, stamp=now)
        allowed.append(ask(check, (0.3, 0.0, 0.0), now=now, pose=pose, people=[person]).allowed)
    assert allowed == [distance >= separation(0.3) for distance in distances]


def test_any_of_all_people_counts() -> None:
    far, near = PersonSeen(x=8.0, y=0.0, stamp=0.0), PersonSeen(x=0.0, y=1.0, stamp=0.0)
    assert rule(ask(check_of(), people=[far])) == ""
    assert rule(ask(check_of(), people=[far, near])) == "motion.separation"


def test_a_person_seen_a_while_ago_may_have_come_nearer() -> None:
    at = separation(0.3) + WALK * 0.5
    for gap, expected in ((HAIR, ""), (-HAIR, "motion.separation")):
        person = PersonSeen(x=at + gap, y=0.0, stamp=-0.5)
        assert rule(ask(check_of(), (0.3, 0.0, 0.0), people=[person])) == expected


@pytest.mark.parametrize(("name", "distance"), [("ben", 5.0), ("", 4.0), ("eve", 4.0)])
@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.separation")])
def test_each_person_is_kept_away_from_as_the_profile_says(
    name: str, distance: float, gap: float, expected: str
) -> None:
    people = {"default": {"distance": 4}, "ben": {"distance": 5, "who": "child"}}
    at = stopping_path(0.3) + RADIUS + OFF + distance + gap
    person = PersonSeen(name=name, x=at, y=0.0, stamp=0.0)
    assert rule(ask(check_of(people=people), (0.3, 0.0, 0.0), people=[person])) == expected


def test_a_small_distance_in_the_profile_takes_nothing_from_the_separation() -> None:
    check = check_of(people={"default": {"distance": 0.1}})
    person = PersonSeen(x=separation(0.3) - HAIR, y=0.0, stamp=0.0)
    assert rule(ask(check, (0.3, 0.0, 0.0), people=[person])) == "motion.separation"


# --- workspace

BOX = [[-2, -2], [2, -2], [2, 2], [-2, 2]]
CORNER = [[-2, -2], [2, -2], [2, 0.5], [0.5, 0.5], [0.5, 2], [-2, 2]]


@pytest.mark.parametrize("polygon", [BOX, CORNER], ids=["box", "corner"])
@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.workspace")])
def test_the_robot_could_always_stop_inside_its_workspace(
    polygon: list[Any], gap: float, expected: str
) -> None:
    check = check_of(limits={"workspace": {"polygon": polygon, "z": {"min": -1, "max": 1}}})
    x = 2.0 - stopping_path(0.5) - RADIUS - OFF - gap
    assert rule(ask(check, pose=Pose(frame="map", x=x, y=0.0))) == expected


def test_a_workspace_is_its_polygon_not_what_is_around_it() -> None:
    check = check_of(limits={"workspace": {"polygon": CORNER, "z": {"min": -1, "max": 1}}})
    inside, outside = Pose(frame="map", x=-1.0, y=1.0), Pose(frame="map", x=1.2, y=1.2)
    assert rule(ask(check, (0.1, 0.0, 0.0), pose=inside)) == ""
    assert rule(ask(check, (0.1, 0.0, 0.0), pose=outside)) == "motion.workspace"


@pytest.mark.parametrize(
    ("z", "climb", "expected"),
    [
        (0.0, 0.0, ""),
        (1.1, 0.0, "motion.workspace"),
        (-1.1, 0.0, "motion.workspace"),
        (0.99, 0.5, "motion.workspace"),
        (-0.99, -0.5, "motion.workspace"),
        (0.6, 0.5, ""),
        (0.8, 0.5, "motion.workspace"),
    ],
)
def test_the_height_of_the_workspace_is_kept(z: float, climb: float, expected: str) -> None:
    check = check_of(limits={"workspace": {"polygon": BOX, "z": {"min": -1, "max": 1}}})
    pose = Pose(frame="map", x=0.0, y=0.0, z=z)
    assert rule(ask(check, (0.1, 0.0, climb), pose=pose)) == expected


# --- joints


def point(a: float, time: float, **given: Any) -> JointPoint:
    """Both joints, the second at rest."""
    rows = {what: (value, 0.0) for what, value in given.items()}
    return JointPoint(positions=(a, 0.0), time=time, **rows)


def move(
    points: Any,
    names: Any = ("a", "b"),
    joints: Any = None,
    now: Any = 0.0,
    pose: Any = ORIGIN,
    people: Any = (),
    **changes: Any,
) -> MotionVerdict:
    check = check_of(**{**ARM, **changes})
    return check.trajectory(names, points, now, joints or AT_ZERO, pose, people)


def test_a_trajectory_within_all_limits_passes() -> None:
    assert rule(move([point(0.0, 0.0), point(0.1, 0.5), point(0.2, 1.0)])) == ""


def test_a_trajectory_without_points_is_rest() -> None:
    assert rule(move([], names=[])) == ""


@pytest.mark.parametrize("names", [("a", "c"), ("a", "a"), ("a",) * 3, "ab", None, (1, 2), ([],)])
def test_joints_that_are_not_those_of_the_profile_are_refused(names: Any) -> None:
    assert not move([point(0.0, 0.1)], names=names).allowed
    assert not move([], names=names).allowed


@pytest.mark.parametrize(
    "points",
    [
        None,
        {},
        [None],
        [(0.0, 0.0)],
        [JointPoint(positions=(0.0,), time=0.1)],
        [JointPoint(positions=(), time=0.1)],
        [JointPoint(positions=(0.0, 0.0), velocities=(0.0,), time=0.1)],
        [JointPoint(positions=("0", 0.0), time=0.1)],  # type: ignore[arg-type]
        [JointPoint(positions=(True, 0.0), time=0.1)],
        [JointPoint(positions=(0.0, 0.0), time="0.1")],  # type: ignore[arg-type]
        [point(0.0, 0.1), point(0.0, 0.2, velocities=0.0)],
    ],
)
def test_a_trajectory_of_another_form_is_refused(points: Any) -> None:
    assert rule(move(points)) in ("motion.shape", "motion.error")


def test_times_that_do_not_rise_are_refused() -> None:
    assert rule(move([point(0.0, 0.1), point(0.0, 0.1)])) == "motion.shape"
    assert rule(move([point(0.0, -0.1), point(0.0, 0.1)])) == "motion.shape"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["positions", "velocities", "accelerations", "effort", "time"])
def test_a_trajectory_that_is_not_finite_is_refused_with_its_point(
    what: str, value: float
) -> None:
    fields: dict[str, Any] = {
        name: (0.0, 0.0) for name in ("positions", "velocities", "accelerations", "effort")
    }
    bad = {**fields, "time": 0.2, what: value if what == "time" else (0.0, value)}
    verdict = move([JointPoint(**fields, time=0.1), JointPoint(**bad)])
    assert rule(verdict) == "motion.finite"
    assert verdict.verdict.step == (None if what == "time" else 1)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([point(1.0, 5.0)], ""),
        ([point(1.01, 5.0)], "motion.joint_position"),
        ([point(-1.01, 5.0)], "motion.joint_position"),
        ([point(0.25, 0.5)], ""),
        ([point(0.26, 0.5)], "motion.joint_velocity"),
        ([point(0.0, 0.5, velocities=0.51)], "motion.joint_velocity"),
        ([point(0.0, 0.5, velocities=-0.51)], "motion.joint_velocity"),
        ([point(0.0, 0.5, accelerations=2.01)], "motion.joint_acceleration"),
        ([point(0.0, 0.5, effort=10.0)], ""),
        ([point(0.0, 0.5, effort=-10.1)], "motion.joint_effort"),
        ([point(0.1, 0.2), point(0.0, 0.4)], "motion.joint_acceleration"),
        ([point(0.05, 0.2), point(0.0, 0.4)], "motion.joint_acceleration"),
        ([point(0.04, 0.2), point(0.08, 0.4)], ""),
        (
            [point(0.0, 0.2, velocities=0.0), point(0.02, 0.4, velocities=0.41)],
            "motion.joint_acceleration",
        ),
    ],
)
def test_a_joint_beyond_a_limit_is_refused(points: list[JointPoint], expected: str) -> None:
    assert rule(move(points)) == expected


def test_speed_is_what_a_trajectory_needs_not_what_it_says() -> None:
    points = [point(0.0, 0.1, velocities=0.1), point(0.9, 0.2, velocities=0.1)]
    assert rule(move(points)) == "motion.joint_velocity"


def test_a_trajectory_begins_where_the_joints_are() -> None:
    assert rule(move([point(START_OFF, 0.0)])) == ""
    assert rule(move([point(START_OFF + 0.01, 0.0)])) == "motion.joint_start"
    assert rule(move([point(0.0, 0.1)], joints={"a": 0.9, "b": 0.0})) == "motion.joint_velocity"


@pytest.mark.parametrize("where", [math.nan, math.inf])
def test_joints_that_are_not_finite_are_refused(where: float) -> None:
    assert rule(move([point(0.0, 0.1)], joints={"a": 0.0, "b": where})) == "motion.finite"


def test_without_knowing_where_the_joints_are_nothing_passes() -> None:
    check = check_of(**ARM)
    for joints in (None, {"a": 0.0}):
        verdict = check.trajectory(("a", "b"), [point(0.0, 0.1)], 0.0, joints, ORIGIN, ())
        assert rule(verdict) == "motion.joints_unknown"


def test_trajectories_come_no_faster_than_the_rate() -> None:
    check = check_of(limits={**ARM["limits"], "command_rate": 1})
    asked = (("a", "b"), [point(0.0, 0.1)])
    verdicts = [check.trajectory(*asked, now, AT_ZERO, ORIGIN, ()) for now in (0.0, 0.9, 1.0)]
    assert [rule(verdict) for verdict in verdicts] == ["", "motion.rate", ""]


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.separation")])
def test_people_are_kept_off_all_that_the_arm_could_reach(gap: float, expected: str) -> None:
    reach, stopping = 0.8, 0.5 / 2
    walked = WALK * (REACTION + stopping) + INTRUSION + PERSON_OFF
    person = PersonSeen(x=reach + OFF + walked + gap, y=0.0, stamp=0.0)
    assert rule(move([point(0.0, 0.1)], reach=reach, people=[person])) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.people_zone")])
def test_an_arm_keeps_off_zones_of_people_likewise(gap: float, expected: str) -> None:
    reach, stopping = 0.8, 0.5 / 2
    edge = reach + OFF + WALK * (REACTION + stopping) + INTRUSION + gap
    zones = [zone("people", edge)]
    assert rule(move([point(0.0, 0.1)], reach=reach, zones=zones)) == expected


def test_an_arm_near_people_needs_to_know_where_they_are() -> None:
    people = {"default": {"distance": 1}}
    points = [point(0.0, 0.1)]
    assert rule(move(points, people=None)) == ""
    check = check_of(**ARM, people=people)
    asked = (("a", "b"), points, 0.0, AT_ZERO)
    assert rule(check.trajectory(*asked, ORIGIN, None)) == "motion.people_unknown"
    assert rule(check.trajectory(*asked, None, ())) == "motion.pose_unknown"


# --- places

SPACE = {"workspace": {"polygon": AROUND, "z": {"min": -1, "max": 1}}}


def at(x: float, y: float = 0.0, **given: Any) -> Pose:
    return Pose(**{"frame": "map", "x": x, "y": y, **given})


@pytest.mark.parametrize(
    ("pose", "expected"),
    [
        (at(0.0), ""),
        (at(0.0, frame="odom"), "motion.frame"),
        (None, "motion.shape"),
        ("kitchen", "motion.shape"),
        (Pose.model_construct(frame="map", x=math.nan, y=0.0), "motion.finite"),
        (at(9.0 - RADIUS - OFF + HAIR), "motion.workspace"),
        (at(0.0, z=1.1), "motion.workspace"),
        (at(5.0 - RADIUS - OFF - HAIR), ""),
        (at(5.0 - RADIUS - OFF + HAIR), "motion.keep_out"),
    ],
)
def test_a_goal_is_where_the_robot_may_stand(pose: Any, expected: str) -> None:
    check = check_of(zones=[zone("keep_out", 5.0, 6.0)], limits=SPACE)
    assert rule(check.goal(pose, 0.0)) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.people_zone")])
def test_a_goal_is_as_far_from_a_zone_of_people_as_somebody_comes(
    gap: float, expected: str
) -> None:
    edge = RADIUS + OFF + WALK * REACTION + INTRUSION + gap
    assert rule(check_of(zones=[zone("people", edge)]).goal(at(0.0), 0.0)) == expected


def test_a_goal_may_be_in_a_zone_of_speed() -> None:
    assert rule(check_of(zones=[zone("speed", -5.0, speed=0.1)]).goal(at(0.0), 0.0)) == ""


@pytest.mark.parametrize(
    ("poses", "expected", "step"),
    [
        ([at(0.0)], "", None),
        ([at(0.0), at(1.0), at(4.0)], "", None),
        ([at(0.0), at(1.0), at(8.0)], "motion.keep_out", 2),
        ([at(5.5), at(0.0)], "motion.keep_out", 0),
        ([at(0.0), at(8.8)], "motion.workspace", 1),
        ([at(0.0), at(1.0, frame="odom")], "motion.frame", 1),
        ([at(0.0), None], "motion.shape", 1),
        ([], "motion.shape", None),
        (7, "motion.shape", None),
    ],
)
def test_a_path_is_all_where_the_robot_may_be(
    poses: Sequence[Pose], expected: str, step: int | None
) -> None:
    check = check_of(zones=[zone("keep_out", 5.0, 6.0)], limits=SPACE)
    verdict = check.path(poses, 0.0)
    assert (rule(verdict), verdict.verdict.step) == (expected, step)


# --- whatever comes

NUMBERS = st.floats(-1.5, 1.5) | st.floats() | st.integers() | st.just(10**400)
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=10,
)
VECTORS = st.tuples(NUMBERS, NUMBERS, NUMBERS) | JUNK
PEOPLE = st.lists(st.builds(PersonSeen.model_construct, name=JUNK, x=JUNK, y=JUNK, stamp=JUNK))
POSES = st.builds(
    Pose.model_construct, frame=st.just("map") | JUNK, x=JUNK, y=JUNK, z=JUNK, yaw=JUNK, stamp=JUNK
)
FULL = {
    "zones": [zone("keep_out", 5.0), zone("people", 7.0) | {"name": "p"}],
    "people": {"default": {"distance": 0.2}},
    "clamp": ["linear_speed", "angular_speed", "linear_acceleration", "angular_acceleration"],
    "limits": {**SPACE, **ARM["limits"], "linear_jerk": 100},
    "arm": {"links": [{"joint": name, "a": 0.5, "radius": 0.1} for name in "ab"]},
}


def finite(*values: Any) -> bool:
    return all(type(v) in (float, int) and math.isfinite(v) for v in values)


@settings(max_examples=400, deadline=None)
@given(
    linear=VECTORS,
    angular=VECTORS,
    frame=st.just("base_link") | JUNK,
    now=st.just(0.0) | NUMBERS | JUNK,
    pose=st.just(ORIGIN) | POSES | JUNK,
    people=st.just(()) | PEOPLE | JUNK,
)
def test_whatever_is_asked_gets_one_verdict_and_what_is_not_finite_is_refused(
    linear: Any, angular: Any, frame: Any, now: Any, pose: Any, people: Any
) -> None:
    verdict = ask(check_of(**FULL), linear, angular, frame, now, pose, people)
    assert isinstance(verdict, MotionVerdict)
    if verdict.allowed:
        assert finite(*linear, *angular, now)
        assert finite(*(verdict.linear or ()), *(verdict.angular or ()))
        if any((*linear, *angular)):
            assert frame == "base_link"
            assert finite(pose.x, pose.y, pose.z, pose.yaw, pose.stamp)
            assert all(finite(person.x, person.y, person.stamp) for person in people)


@settings(max_examples=300, deadline=None)
@given(
    names=st.just(("a", "b")) | JUNK,
    points=st.lists(
        st.builds(
            JointPoint,
            positions=st.tuples(NUMBERS, NUMBERS) | JUNK,
            time=st.floats(0, 9) | JUNK,
            velocities=st.just(()) | JUNK,
        ),
        max_size=3,
    )
    | JUNK,
    joints=st.just(AT_ZERO) | JUNK,
)
def test_whatever_trajectory_is_asked_gets_one_verdict(
    names: Any, points: Any, joints: Any
) -> None:
    verdict = check_of(**FULL).trajectory(names, points, 0.0, joints, ORIGIN, ())
    assert isinstance(verdict, MotionVerdict)
    if verdict.allowed and points:
        assert all(finite(*p.positions, *p.velocities, p.time) for p in points)


@settings(max_examples=200, deadline=None)
@given(poses=st.lists(POSES, max_size=3) | JUNK)
def test_whatever_path_is_asked_gets_one_verdict(poses: Any) -> None:
    check = check_of(**FULL)
    if check.path(poses, 0.0).allowed:
        assert all(finite(pose.x, pose.y, pose.z, pose.yaw) for pose in poses)
    assert isinstance(check.goal(poses, 0.0), MotionVerdict)


def test_deep_nesting_is_refused() -> None:
    deep: Any = 0.1
    for _ in range(100_000):
        deep = [deep]
    assert rule(ask(check_of(), deep)) == "motion.shape"
    while isinstance(deep, list):  # or ending it recurses
        deep = deep[0]
