"""Where an arm may go: all of it, in space, between points, and until it stands."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from checks_profiles import profile_of
from hypothesis import given, settings
from hypothesis import strategies as st

from redbutton.checks.arm import STEP, STEP_MOST, STEPS_MOST
from redbutton.checks.kinematics import forward, rotation
from redbutton.checks.motion import START_OFF, JointPoint, MotionCheck, PersonSeen, Pose
from redbutton.checks.profile import examples, load

pytestmark = pytest.mark.requirement("SR-24")

LATENCY = 0.02
# Of the profile in checks_profiles.py, written out.
REACTION = 0.1 + LATENCY
OFF = 0.03  # the robot's uncertainty
HAIR = 1e-6
SEPARATION = 1.6 * (REACTION + 0.5 / 2) + 0.2 + 0.05  # S_h, C, Z_d; the joints stop in 0.25 s

ORIGIN = Pose(frame="map", x=0.0, y=0.0)
ACCELERATION = 2.0
JOINT = {"position": {"min": -3, "max": 3}, "velocity": 0.5, "acceleration": ACCELERATION}
JOINTS = {"joints": {"a": JOINT, "b": JOINT}}
RADIUS = 0.05
UPPER, FORE = 1.0, 0.5
# Flat, two links, 0.4 m above the floor: the joints turn about the vertical.
FLAT = {
    "mount": {"z": 0.4},
    "links": [
        {"joint": "a", "a": UPPER, "radius": RADIUS},
        {"joint": "b", "a": FORE, "radius": RADIUS},
    ],
}
# The same, turned up: the arm stands in the plane of x and z.
UPRIGHT = {**FLAT, "mount": {"roll": math.pi / 2}}


def box(left: float, low: float, right: float, high: float) -> list[list[float]]:
    return [[left, low], [right, low], [right, high], [left, high]]


def zone(kind: str, *corners: float) -> dict[str, Any]:
    return {"name": "there", "kind": kind, "polygon": box(*corners)}


def space(
    polygon: Sequence[Any], low: float = -9.0, high: float = 9.0
) -> dict[str, Mapping[str, Any]]:
    return {
        "limits": {**JOINTS, "workspace": {"polygon": polygon, "z": {"min": low, "max": high}}}
    }


def points(*rows: tuple[float, ...], slow: float = 20.0, **given: Any) -> list[JointPoint]:
    """Through these positions, `slow` seconds each."""
    return [JointPoint(row, slow * (i + 1), **given) for i, row in enumerate(rows)]


def move(
    trajectory: Sequence[JointPoint],
    start: tuple[float, float] = (0.0, 0.0),
    names: Sequence[str] = ("a", "b"),
    pose: Pose | None = ORIGIN,
    people: Sequence[PersonSeen] = (),
    now: float = 0.0,
    joints: Mapping[str, float] | None = None,
    **changes: Any,
) -> str:
    """The rule that refuses, "" if none does."""
    check = MotionCheck(profile_of(**{"arm": FLAT, "limits": JOINTS, **changes}), LATENCY)
    where = {"a": start[0], "b": start[1]} if joints is None else joints
    said = check.trajectory(names, list(trajectory), now, where, pose, people)
    assert said.allowed or said.verdict.reason
    return said.verdict.rule


def half_step(way: float) -> float:
    return way / math.ceil(way / STEP) / 2


def run_on(speed: float) -> float:
    """rad: the reaction time, then braking."""
    return speed * REACTION + speed**2 / (2 * ACCELERATION)


# --- zones


def test_an_arm_passes_where_it_fits() -> None:
    around = [zone("keep_out", 1.7, -9, 9, 9), {**zone("keep_out", -9, -9, -0.3, 9), "name": "b"}]
    free = {"zones": around, **space(box(-0.2, -2, 1.7, 2), 0.2, 0.6)}
    assert move(points((0.5, 0.2), (-0.5, 0.2)), **free) == ""


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ((0.3, -0.1, 0.5, 0.1), "motion.keep_out"),  # the upper arm comes through
        ((1.2, -0.1, 1.3, 0.1), "motion.keep_out"),  # the forearm does
        ((1.7, -0.1, 1.9, 0.1), ""),
        ((-0.5, -0.1, -0.3, 0.1), ""),
    ],
)
def test_what_sweeps_through_a_zone_between_two_points_that_are_fine_is_refused(
    corners: tuple[float, ...], expected: str
) -> None:
    zones = [zone("keep_out", *corners)]
    there = points((1.0, 0.0))
    assert move(there, start=(-1.0, 0.0), zones=zones) == expected
    for a in (-1.0, 1.0):
        assert move(points((a, 0.0)), start=(a, 0.0), zones=zones) == ""


def test_between_two_points_both_joints_move_at_once() -> None:
    """Folded to stretched and back: only half way is the tip out there."""
    zones = [zone("keep_out", 1.35, -0.05, 1.5, 0.05)]
    assert move(points((0.8, -2.0)), start=(-0.8, 2.0), zones=zones) == "motion.keep_out"
    for a, b in ((-0.8, 2.0), (0.8, -2.0)):
        assert move(points((a, b)), start=(a, b), zones=zones) == ""


def test_the_point_is_named_before_which_it_happens() -> None:
    check = MotionCheck(
        profile_of(arm=FLAT, limits=JOINTS, zones=[zone("keep_out", 0.3, 0.9, 0.5, 9)]), LATENCY
    )
    rows = points((0.2, 0.0), (0.1, 0.0), (0.5, 0.0), (1.5, 0.0), (0.0, 0.0), slow=9.0)
    said = check.trajectory(("a", "b"), rows, 0.0, {"a": 0.0, "b": 0.0}, ORIGIN, ())
    assert (said.verdict.rule, said.verdict.step) == ("motion.keep_out", 3)


def test_zones_are_of_the_floor_whatever_the_height() -> None:
    zones = [zone("keep_out", 0.9, -0.1, 1.1, 0.1)]
    upright = {"arm": UPRIGHT, "zones": zones}
    assert move(points((1.5, 0.0)), start=(1.5, 0.0), **upright) == ""
    assert move(points((1.2, 0.0)), start=(1.5, 0.0), **upright) == ""
    assert move(points((0.6, 0.0)), start=(1.5, 0.0), **upright) == "motion.keep_out"


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
@pytest.mark.parametrize("angle", [0.0, 1.2, math.pi / 2])
def test_of_a_link_that_is_tilted_its_shadow_counts(
    angle: float, gap: float, expected: str
) -> None:
    reached = 1.5 * math.cos(angle) + RADIUS + OFF
    zones = [zone("keep_out", reached + gap, -9, 9, 9)]
    rest = points((angle, 0.0))
    assert move(rest, start=(angle, 0.0), arm=UPRIGHT, zones=zones) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
def test_a_link_that_stands_upright_is_a_point_of_the_floor(gap: float, expected: str) -> None:
    links = [{"joint": "a", "a": 0.5, "radius": RADIUS}, {"joint": "b", "d": 0.3, "radius": 0.2}]
    zones = [zone("keep_out", 0.5 + 0.2 + OFF + gap, -9, 9, 9)]
    assert move(points((0.0, 0.0)), arm={"links": links}, zones=zones) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
@pytest.mark.parametrize("speed", [0.01, 0.1, 0.5])
def test_a_zone_is_kept_off_as_far_as_the_joints_run_on_after_a_stop(
    speed: float, gap: float, expected: str
) -> None:
    turned = 0.4
    tip = UPPER + FORE
    edge = tip + RADIUS + OFF + half_step(tip * turned) + tip * run_on(speed)
    zones = [zone("keep_out", edge + gap, -9, 9, 9)]
    assert move(points((turned, 0.0), slow=turned / speed), zones=zones) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
def test_each_joint_runs_on_with_its_own_lever(gap: float, expected: str) -> None:
    speeds = 0.1, 0.4
    way = (UPPER + FORE) * 0.05 + FORE * 0.2
    ran = (UPPER + FORE) * run_on(speeds[0]) + FORE * run_on(speeds[1])
    edge = UPPER + FORE + RADIUS + OFF + half_step(way) + ran
    zones = [zone("keep_out", edge + gap, -9, 9, 9)]
    assert move(points((0.05, 0.2), slow=0.5), zones=zones) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.people_zone")])
def test_out_of_a_zone_of_people_somebody_may_step(gap: float, expected: str) -> None:
    away = RADIUS + OFF + 1.6 * (REACTION + 0.25) + 0.2
    behind = [zone("people", -9, -9, -away - gap, 9)]
    assert move(points((0.0, 0.0)), zones=behind) == expected


def test_a_zone_of_speed_is_none_to_keep_off() -> None:
    slow = [{**zone("speed", -9, -9, 9, 9), "speed": 0.1}]
    assert move(points((0.1, 0.0)), zones=slow) == ""


def test_without_links_zones_are_not_looked_at() -> None:
    assert move(points((0.0, 0.0)), arm=None, zones=[zone("keep_out", 0.9, -9, 9, 9)]) == ""


# --- workspace

CORNER = [[-1, -2], [2, -2], [2, 0.3], [1, 0.3], [1, 2], [-1, 2]]


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.workspace")])
@pytest.mark.parametrize("side", [1, -1])
def test_no_link_leaves_the_workspace(side: int, gap: float, expected: str) -> None:
    edge = 1.5 + RADIUS + OFF + gap
    arm = {**FLAT, "mount": {"z": 0.4, "yaw": math.pi if side < 0 else 0.0}}
    polygon = box(-1, -1, edge, 1) if side > 0 else box(-edge, -1, 1, 1)
    assert move(points((0.0, 0.0)), arm=arm, **space(polygon)) == expected


@pytest.mark.parametrize(
    ("a", "expected"), [(0.0, ""), (1.2, ""), (0.35, "motion.workspace"), (2.5, "")]
)
def test_a_workspace_is_its_polygon_not_what_is_around_it(a: float, expected: str) -> None:
    start = (a, 0.0) if a < 2 else (1.2, 2.0)
    assert move(points(start), start=start, **space(CORNER)) == expected


def test_an_arm_that_is_all_outside_crosses_no_border_and_is_refused() -> None:
    links = [{"joint": name, "a": 0.1, "radius": RADIUS} for name in "ab"]
    for x, expected in ((0.0, ""), (1.5, "motion.workspace")):
        pose = Pose(frame="map", x=x, y=1.2)
        rest = points((0.0, 0.0))
        assert move(rest, pose=pose, arm={"links": links}, **space(CORNER)) == expected


def test_round_a_corner_of_the_workspace_the_arm_does_not_sweep() -> None:
    assert move(points((1.2, 0.0)), **space(CORNER)) == "motion.workspace"


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.workspace")])
@pytest.mark.parametrize("angle", [-0.3, 0.3])
def test_the_height_of_the_workspace_is_kept(angle: float, gap: float, expected: str) -> None:
    reached = 1.5 * math.sin(0.3) + RADIUS + OFF + gap
    tall = space(box(-9, -9, 9, 9), -reached, reached)
    assert move(points((angle, 0.0)), start=(angle, 0.0), arm=UPRIGHT, **tall) == expected


def test_what_no_joint_moves_is_not_judged() -> None:
    """The column stands outside, on the floor; what it carries is inside."""
    links = [
        {"joint": None, "d": 0.4, "radius": 0.3},
        {"joint": "a", "d": 0.3, "radius": 0.3},
        {"joint": "b", "a": FORE, "radius": RADIUS},
    ]
    inside = space(box(-0.2, -0.6, 0.6, 0.6), 0.6, 0.8)
    assert move(points((0.1, 0.0)), arm={"links": links}, **inside) == ""
    links[1]["a"] = 0.01
    assert move(points((0.1, 0.0)), arm={"links": links}, **inside) == "motion.workspace"


# --- people, ISO/TS 15066:2016, 5.5.4.2.3


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.separation")])
@pytest.mark.parametrize("angle", [0.0, 1.0, -2.5])
def test_people_are_kept_off_the_links(angle: float, gap: float, expected: str) -> None:
    away = 1.5 + RADIUS + OFF + SEPARATION + gap
    person = PersonSeen(x=away * math.cos(angle), y=away * math.sin(angle), stamp=0.0)
    start = (angle, 0.0)
    assert move(points(start), start=start, people=[person]) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.separation")])
def test_people_beside_a_link_are_kept_off_its_side(gap: float, expected: str) -> None:
    person = PersonSeen(x=0.6, y=RADIUS + OFF + SEPARATION + gap, stamp=0.0)
    assert move(points((0.0, 0.0)), people=[person]) == expected


def test_who_stands_in_reach_but_on_the_other_side_does_not_stop_the_arm() -> None:
    behind, ahead = (PersonSeen(x=x, y=0.0, stamp=0.0) for x in (-1.2, 1.2))
    reach = {"reach": 1.6}
    there = points((0.2, 0.0))
    assert move(there, people=[behind], **reach) == ""
    assert move(there, people=[ahead], **reach) == "motion.separation"
    assert move(there, people=[behind], arm=None, **reach) == "motion.separation"


def test_who_is_passed_by_on_the_way_stops_it() -> None:
    person = PersonSeen(x=0.0, y=2.2, stamp=0.0)
    for a, expected in ((0.0, ""), (3.0, "")):
        assert move(points((a, 0.0)), start=(a, 0.0), people=[person]) == expected
    assert move(points((3.0, 0.0)), people=[person]) == "motion.separation"


# --- where the base and the joints are


def test_the_arm_is_where_the_robot_is_and_looks() -> None:
    zones = [zone("keep_out", 2, 4, 3, 4.3)]
    for x, y, yaw, expected in (
        (2.5, 2.0, 0.0, ""),
        (2.5, 3.0, math.pi / 2, "motion.keep_out"),
        (2.5, 3.0, -math.pi / 2, ""),
    ):
        pose = Pose(frame="map", x=x, y=y, yaw=yaw)
        assert move(points((0.0, 0.0)), pose=pose, zones=zones) == expected


def test_the_height_of_the_base_carries_the_arm() -> None:
    for z, expected in ((0.0, ""), (0.2, "motion.workspace")):
        pose = Pose(frame="map", x=0.0, y=0.0, z=z)
        assert move(points((0.0, 0.0)), pose=pose, **space(box(-9, -9, 9, 9), 0, 0.5)) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
def test_an_older_pose_hides_how_far_the_base_came_and_turned(gap: float, expected: str) -> None:
    came = 0.1 * (1.0 + 1.0 * 1.5)  # s, m/s, rad/s, m
    zones = [zone("keep_out", 1.5 + RADIUS + OFF + came + gap, -9, 9, 9)]
    assert move(points((0.0, 0.0)), now=0.1, zones=zones) == expected


def test_without_a_pose_only_an_arm_that_is_fixed_moves() -> None:
    zones = {"zones": [zone("keep_out", 1.7, -9, 9, 9)]}
    assert move(points((0.1, 0.0)), pose=None, **zones) == "motion.pose_unknown"
    still = {"limits": {**JOINTS, "linear_speed": 0, "angular_speed": 0}}
    for x, expected in ((0.0, ""), (0.2, "motion.keep_out")):
        fixed = {**FLAT, "fixed": True, "mount": {"x": x}}
        far = Pose(frame="map", x=50.0, y=0.0)
        for pose in (None, far):
            assert move(points((0.1, 0.0)), pose=pose, arm=fixed, **still, **zones) == expected


def test_joints_that_are_not_named_stand_where_they_are() -> None:
    zones = {"zones": [zone("keep_out", -9, 1.2, 9, 9)]}
    only_b = points((0.2,))
    assert move(only_b, names=["b"], start=(0.0, 0.0), **zones) == ""
    assert move(only_b, names=["b"], start=(1.4, 0.0), **zones) == "motion.keep_out"


def test_without_all_joints_of_the_arm_nothing_is_told() -> None:
    zones = {"zones": [zone("keep_out", 5, 5, 6, 6)]}
    joints = {"b": 0.0}
    assert move(points((0.2,)), names=["b"], joints=joints, **zones) == "motion.joints_unknown"
    assert move(points((0.2,)), names=["b"], joints=joints) == ""  # nothing asks


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    zones = {"zones": [zone("keep_out", 5, 5, 6, 6)]}
    assert move(points((value, 0.0)), **zones) == "motion.finite"
    assert move(points((0.0, 0.0)), start=(value, 0.0), **zones) == "motion.finite"
    joints = {"a": value, "b": 0.0}
    assert move(points((0.2,)), names=["b"], joints=joints, **zones) == "motion.finite"
    bent = points((0.0, 0.0), (0.0, 0.0), velocities=(value, 0.0))
    assert move(bent, **zones) == "motion.finite"
    high = Pose.model_construct(frame="map", x=0.0, y=0.0, z=value, yaw=0.0, stamp=0.0)
    assert move(points((0.0, 0.0)), pose=high, **zones) == "motion.finite"


@pytest.mark.parametrize("z", [1e9, 1e300, -1e300])
def test_an_arm_out_of_this_world_is_refused(z: float) -> None:
    pose = Pose.model_construct(frame="map", x=0.0, y=0.0, z=z, yaw=0.0, stamp=0.0)
    zones = [zone("keep_out", 5, 5, 6, 6)]
    assert move(points((0.0, 0.0)), pose=pose, zones=zones) == "motion.arm"


def test_joints_that_hardly_brake_are_refused_rather_than_taken_to_stop() -> None:
    lame = {"joints": {"a": {**JOINT, "acceleration": 1e-300}, "b": JOINT}}
    zones = [zone("keep_out", 5, 5, 6, 6)]
    assert move(points((0.4, 0.0)), limits=lame, zones=zones) == "motion.arm"


def test_a_trajectory_without_an_end_is_refused_before_it_costs_time() -> None:
    zones = [zone("keep_out", 5, 5, 6, 6)]
    most = STEPS_MOST * STEP_MOST
    turns = int(most / (1.5 * 2)) + 1
    rows = points(*[((-1.0) ** i, 0.0) for i in range(turns + 2)])
    assert move(rows[: turns - 1], zones=zones) == ""
    assert move(rows, zones=zones) == "motion.arm"


# --- between the points


def test_speeds_at_its_points_bend_the_way_between_them() -> None:
    """From 0 to 0, out and back: 0.4 rad/s * 1 s / 4 = 0.1 rad half way."""
    rest, out, back = ((v, 0.0) for v in (0.0, 0.4, -0.4))
    times = {"positions": (0.0, 0.0)}
    bent = [JointPoint(**times, time=t, velocities=v) for t, v in ((1, out), (2, back), (3, rest))]
    plain = [JointPoint(**times, time=t) for t in (1, 2, 3)]
    edge = 1.5 * math.sin(0.09)  # m; aside, the tip comes so far
    zones = [zone("keep_out", 1.4, edge + RADIUS + OFF, 1.6, 9)]
    assert move(plain, zones=zones) == ""
    assert move(bent, zones=zones) == "motion.keep_out"


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
@pytest.mark.parametrize(
    ("rest", "peak"),
    [
        ({}, 1.0),
        ({"velocities": (0.0, 0.0)}, 3 / 2),
        ({"velocities": (0.0, 0.0), "accelerations": (0.0, 0.0)}, 15 / 8),
    ],
)
def test_from_rest_to_rest_it_is_faster_half_way(
    rest: dict[str, Any], peak: float, gap: float, expected: str
) -> None:
    ran = 1.5 * run_on(0.1 * peak)
    zones = [zone("keep_out", 1.5 + RADIUS + OFF + half_step(1.5 * 0.4) + ran + gap, -9, 9, 9)]
    assert move(points((0.4, 0.0), slow=4.0, **rest), zones=zones) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
def test_a_short_fast_piece_between_two_samples_counts(gap: float, expected: str) -> None:
    """Slowly to 0.1 rad, on to 0.104 with 0.4 rad/s, and rest."""
    rows = (((0.1, 0.0), 5.0), ((0.104, 0.0), 5.01), ((0.104, 0.0), 10.0))
    ran = half_step(1.5 * 0.104) + 1.5 * run_on(0.4)
    edge = 1.5 * math.sin(0.104) + RADIUS + OFF + ran + gap
    zones = [zone("keep_out", 1.4, edge, 1.6, 9)]
    assert move([JointPoint(*row) for row in rows], zones=zones) == expected


@pytest.mark.parametrize(("gap", "expected"), [(HAIR, ""), (-HAIR, "motion.keep_out")])
def test_what_starts_now_makes_up_for_what_it_is_off(gap: float, expected: str) -> None:
    late = [JointPoint((START_OFF, 0.0), 0.0), JointPoint((START_OFF, 0.0), 1.0)]
    ran = half_step(1.5 * START_OFF) + 1.5 * START_OFF
    edge = 1.5 * math.sin(START_OFF) + RADIUS + OFF + ran + gap
    assert move(late, zones=[zone("keep_out", 1.4, edge, 1.6, 9)]) == expected


def test_a_prismatic_joint_reaches_as_far_as_it_is_out() -> None:
    """A telescope, along x: the joint's axis, z, is turned down to it."""
    links = [
        {"joint": "a", "prismatic": True, "d": 0.5, "radius": RADIUS},
        {"joint": "b", "d": 0.2, "radius": RADIUS},
    ]
    arm = {"mount": {"z": 0.4, "pitch": math.pi / 2}, "links": links}
    for gap, expected in ((HAIR, ""), (-HAIR, "motion.keep_out")):
        edge = 0.7 + 0.3 + RADIUS + OFF + half_step(0.3) + run_on(0.03)
        zones = [zone("keep_out", edge + gap, -9, 9, 9)]
        assert move(points((0.3, 1.0), slow=10.0), arm=arm, zones=zones) == expected


ROWS = st.lists(st.tuples(*[st.floats(-1.0, 1.0)] * 4), min_size=2, max_size=4)


def spline(
    q0: float, q1: float, v0: float, v1: float, a0: float, a1: float, time: float, degree: int
) -> np.polynomial.Polynomial:
    """The polynomial with these ends, by solving for its coefficients."""
    derivatives = {1: (0,), 3: (0, 1), 5: (0, 1, 2)}[degree]
    rows, values = [], []
    for t, end in ((0.0, (q0, v0, a0)), (time, (q1, v1, a1))):
        for order in derivatives:
            powers = np.eye(degree + 1)
            rows.append([np.polynomial.Polynomial(p).deriv(order)(t) for p in powers])
            values.append(end[order])
    return np.polynomial.Polynomial(np.linalg.solve(np.array(rows), np.array(values)))


@settings(max_examples=150, deadline=None)
@given(
    rows=ROWS,
    degree=st.sampled_from([1, 3, 5]),
    x=st.floats(-1.8, 1.8),
    y=st.floats(-1.8, 1.8),
    parts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_whatever_the_simulated_arm_touches_was_refused(
    rows: list[tuple[float, ...]], degree: int, x: float, y: float, parts: tuple[float, float]
) -> None:
    """On the way, or anywhere from where it is told to stop to where it stands."""
    time = 3.0
    state = [(0.0,) * 6]
    for a, b, va, vb in rows:
        state.append((a / 2, b / 2, va / 5, vb / 5, va / 4, vb / 4))
    trajectory = [
        JointPoint(
            s[:2],
            time * (i + 1),
            velocities=s[2:4] if degree > 1 else (),
            accelerations=s[4:] if degree > 3 else (),
        )
        for i, s in enumerate(state[1:])
    ]
    there = shapely.Point(x, y).buffer(0.02)
    zones = [{"name": "z", "kind": "keep_out", "polygon": list(there.exterior.coords)[:-1]}]
    if move(trajectory, zones=zones) != "":
        return
    for s0, s1 in pairwise(state):
        joints = [
            spline(s0[j], s1[j], s0[j + 2], s1[j + 2], s0[j + 4], s1[j + 4], time, degree)
            for j in (0, 1)
        ]
        for t in np.linspace(0.0, time, 25):
            ran = [
                q(t) + part * math.copysign(run_on(abs(q.deriv()(t))), q.deriv()(t))
                for q, part in zip(joints, parts, strict=True)
            ]
            elbow = (math.cos(ran[0]), math.sin(ran[0]))
            tip = (
                elbow[0] + FORE * math.cos(sum(ran)),
                elbow[1] + FORE * math.sin(sum(ran)),
            )
            line = shapely.LineString([(0, 0), elbow, tip])
            assert line.distance(there) > RADIUS + OFF


# --- the examples


def test_the_example_of_a_cell_keeps_its_arm_off_the_controller() -> None:
    profile = load(examples()["arm_cell"])
    check = MotionCheck(profile, LATENCY)
    names = list(profile.limits.joints)
    folded, stretched = (-1.8, 2.0, -1.77, -1.57, 0.0), (-1.0, 1.0, -1.57, -1.57, 0.0)
    for pan, expected in ((-0.6, ""), (2.5, "motion.keep_out")):
        start = dict(zip(names, (pan, *folded), strict=True))
        for pose, said in ((folded, ""), (stretched, expected)):
            trajectory = [JointPoint((pan, *pose), 10.0)]
            verdict = check.trajectory(names, trajectory, 0.0, start, None, ())
            assert verdict.verdict.rule == said


def test_the_arm_of_the_example_of_a_home_may_not_stretch_over_the_stove() -> None:
    profile = load(examples()["home_manipulator"])
    check = MotionCheck(profile, LATENCY)
    pose = Pose(frame="map", x=0.9, y=3.7, yaw=0.0)
    start = {"lift": 0.3, "shoulder": 0.0, "elbow": 0.0, "wrist": 0.0}
    for shoulder, expected in ((-0.5, ""), (1.5, "motion.keep_out")):
        trajectory = [JointPoint((shoulder,), 10.0)]
        said = check.trajectory(["shoulder"], trajectory, 0.0, start, pose, ())
        assert said.verdict.rule == expected


@pytest.mark.parametrize("name", ["arm_cell", "home_manipulator"])
def test_an_example_s_reach_holds_its_links(name: str) -> None:
    profile = load(examples()[name])
    arm = profile.arm
    assert arm is not None
    rooms = [profile.limits.joints[link.joint].position for link in arm.links if link.joint]
    low, high = [room.min for room in rooms], [room.max for room in rooms]
    joints = np.random.default_rng(1).uniform(low, high, (20_000, len(rooms)))
    mount = arm.mount
    origin = np.array((mount.x, mount.y, mount.z))
    turned = rotation(mount.roll, mount.pitch, mount.yaw)
    ends, _ = forward(arm.links, joints, turned, origin)
    radii = np.array([link.radius for link in arm.links])
    reached = np.hypot(ends[:, 1:, 0], ends[:, 1:, 1]) + radii
    assert 0.95 * profile.reach < reached.max() <= profile.reach
