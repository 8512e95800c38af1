"""Where the links of an arm are, against what others computed and what must be so."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redbutton.checks.kinematics import Array, displacements, forward, levers, rotation
from redbutton.checks.profile import Joint, Link, Range, examples, load

pytestmark = pytest.mark.requirement("SR-24")

HERE = np.zeros(3)
STRAIGHT = np.eye(3)
EXAMPLE = load(examples()["arm_cell"]).arm
ANGLES = st.floats(-math.pi, math.pi)


def link(joint: str | None = "a", **fields: Any) -> Link:
    return Link(joint=joint, **{"radius": 0.1, **fields})


def ends(links: list[Link], *joints: float) -> Array:
    """Of one configuration, shape (links + 1, 3)."""
    return forward(links, np.array([joints]), STRAIGHT, HERE)[0][0]


# Universal Robots, "DH Parameters for calculations of kinematics and dynamics".
UR5E = [
    link("1", d=0.1625, alpha=math.pi / 2),
    link("2", a=-0.425),
    link("3", a=-0.3922),
    link("4", d=0.1333, alpha=math.pi / 2),
    link("5", d=0.0997, alpha=-math.pi / 2),
    link("6", d=0.0996),
]
LIMITS = {
    str(i): Joint(position=Range(min=-7.0, max=7.0), velocity=1.0, acceleration=1.0)
    for i in range(1, 7)
}


@given(a=ANGLES, b=ANGLES)
def test_a_planar_arm_of_two_links_is_where_its_closed_form_says(a: float, b: float) -> None:
    elbow = (0.7 * math.cos(a), 0.7 * math.sin(a), 0.0)
    tip = (elbow[0] + 0.4 * math.cos(a + b), elbow[1] + 0.4 * math.sin(a + b), 0.0)
    found = ends([link("a", a=0.7), link("b", a=0.4)], a, b)
    assert found == pytest.approx(np.array([(0.0, 0.0, 0.0), elbow, tip]))


@pytest.mark.parametrize(
    ("joints", "tool"),
    [
        # All at zero the arm lies along -x, its wrist to the side of -y.
        ((0,) * 6, (-0.425 - 0.3922, -0.1333 - 0.0996, 0.1625 - 0.0997)),
        # A quarter turn of the base: x becomes y, y becomes -x.
        ((math.pi / 2, 0, 0, 0, 0, 0), (0.1333 + 0.0996, -0.425 - 0.3922, 0.1625 - 0.0997)),
        # Upright: upper arm and forearm stand on the shoulder, the wrist turns along.
        (
            (0, -math.pi / 2, 0, 0, 0, 0),
            (-0.0997, -0.1333 - 0.0996, 0.1625 + 0.425 + 0.3922),
        ),
        # A right angle in the elbow: the forearm lies along x, the tool is above it.
        (
            (0, -math.pi / 2, math.pi / 2, 0, 0, 0),
            (-0.3922, -0.1333 - 0.0996, 0.1625 + 0.425 - 0.0997),
        ),
    ],
)
def test_an_arm_with_six_joints_is_where_its_drawing_says(
    joints: tuple[float, ...], tool: tuple[float, ...]
) -> None:
    assert ends(UR5E, *joints)[-1] == pytest.approx(np.array(tool))


@settings(deadline=None)
@given(st.tuples(*[ANGLES] * 6))
def test_the_example_is_the_arm_of_the_data_sheet(joints: tuple[float, ...]) -> None:
    assert EXAMPLE is not None
    flange = ends(list(EXAMPLE.links), *joints)[-2]
    assert flange == pytest.approx(ends(UR5E, *joints)[-1], abs=1e-6)


def test_a_prismatic_joint_moves_along_its_axis() -> None:
    links = [link("a", prismatic=True, d=0.1, a=0.2), link("b", a=0.3)]
    assert ends(links, 0.5, 0.0).tolist() == [[0, 0, 0], [0.2, 0, 0.6], [0.5, 0, 0.6]]


def test_theta_is_where_a_joint_begins_and_a_fixed_link_stays() -> None:
    links = [link(None, d=0.5), link("a", theta=math.pi / 2, a=1.0)]
    assert ends(links, 0.0)[-1] == pytest.approx(np.array((0.0, 1.0, 0.5)))
    assert ends(links, math.pi / 2)[-1] == pytest.approx(np.array((-1.0, 0.0, 0.5)))


def test_a_mount_turns_about_the_fixed_axes_x_then_y_then_z() -> None:
    quarter = math.pi / 2
    y = np.array((0.0, 1.0, 0.0))
    assert rotation(quarter, 0.0, 0.0) @ y == pytest.approx(np.array((0.0, 0.0, 1.0)))
    assert rotation(quarter, quarter, 0.0) @ y == pytest.approx(np.array((1.0, 0.0, 0.0)))
    assert rotation(quarter, quarter, quarter) @ y == pytest.approx(y)


@given(ANGLES, ANGLES, ANGLES)
def test_a_mount_s_turns_are_three_in_a_row(roll: float, pitch: float, yaw: float) -> None:
    (cr, cp, cy), (sr, sp, sy) = np.cos((roll, pitch, yaw)), np.sin((roll, pitch, yaw))
    about_x = np.array(((1, 0, 0), (0, cr, -sr), (0, sr, cr)))
    about_y = np.array(((cp, 0, sp), (0, 1, 0), (-sp, 0, cp)))
    about_z = np.array(((cy, -sy, 0), (sy, cy, 0), (0, 0, 1)))
    assert rotation(roll, pitch, yaw) == pytest.approx(about_z @ about_y @ about_x)


def test_an_arm_begins_where_it_is_mounted() -> None:
    turned, origin = rotation(0.0, 0.0, math.pi / 2), np.array((1.0, 2.0, 3.0))
    found, _ = forward([link(a=1.0)], np.zeros((1, 1)), turned, origin)
    assert found[0] == pytest.approx(np.array(((1.0, 2.0, 3.0), (1.0, 3.0, 3.0))))


def test_many_configurations_are_each_where_it_would_be_alone() -> None:
    joints = np.random.default_rng(1).uniform(-3, 3, (50, 6))
    together, _ = forward(UR5E, joints, STRAIGHT, HERE)
    assert together.shape == (50, 7, 3)
    alone = [ends(UR5E, *row) for row in joints]
    assert together == pytest.approx(np.stack(alone))


@given(st.tuples(*[ANGLES] * 6))
def test_no_joint_changes_the_length_of_a_link(joints: tuple[float, ...]) -> None:
    lengths = np.linalg.norm(np.diff(ends(UR5E, *joints), axis=0), axis=1)
    assert lengths == pytest.approx(np.array((0.1625, 0.425, 0.3922, 0.1333, 0.0997, 0.0996)))


@settings(max_examples=300)
@given(
    joints=st.tuples(*[ANGLES] * 6),
    moved=st.tuples(*[st.floats(0.0, 2.0)] * 6),
    parts=st.tuples(*[st.floats(-1.0, 1.0)] * 6),
)
def test_no_part_of_the_arm_goes_further_than_its_bounds(
    joints: tuple[float, ...], moved: tuple[float, ...], parts: tuple[float, ...]
) -> None:
    at, axes = forward(UR5E, np.array([joints]), STRAIGHT, HERE)
    went = np.linalg.norm(ends(UR5E, *np.add(joints, np.multiply(moved, parts))) - at[0], axis=1)
    bound = displacements(UR5E, at, axes, np.array([moved]))[0]
    assert (went <= bound + 1e-6).all()
    assert (bound <= np.array(moved) @ levers(UR5E, LIMITS) + 1e-6).all()


def test_the_bounds_of_one_joint_are_its_lever() -> None:
    links = [link("a", a=0.7), link("b", a=0.4)]
    limits = {"a": LIMITS["1"], "b": LIMITS["1"]}
    assert levers(links, limits) == pytest.approx(np.array([[0, 0.7, 1.1], [0, 0, 0.4]]))
    at, axes = forward(links, np.array([[0.0, math.pi / 2]]), STRAIGHT, HERE)
    moved = displacements(links, at, axes, np.array([[0.1, 0.0]]))[0]
    assert moved == pytest.approx(np.array((0.0, 0.07, 0.1 * math.hypot(0.7, 0.4))))


def test_the_lever_of_a_joint_before_a_prismatic_one_is_that_of_its_whole_range() -> None:
    links = [link("1", alpha=math.pi / 2), link("2", prismatic=True, d=0.5)]
    assert levers(links, LIMITS).tolist() == [[0, 0, 7.5], [0, 0, 1]]
