"""What the checks of motion and of plans cost, in processor time of this computer.

usage: python tests/benchmarks/checks_latency.py [--json] [--twists N] [--trajectories N]
       [--plans N]

A twist: the base of each example profile drives about in free space, with two people seen and a
pose that is new each time. At the doorway, and in the kitchen, zones are in reach and looked at. A
trajectory: 1000 points of the joints of the arm, with velocities and accelerations, in slow swings
or wide ones, of an arm with and without its links. A plan: of so many steps, all different plans,
with 200 things that are fetched, filled, poured, opened, switched and cleaned.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from redbutton.checks import profile as profiles
from redbutton.checks.motion import JointPoint, MotionCheck, MotionVerdict, PersonSeen, Pose
from redbutton.checks.plan import PlanCheck
from redbutton.checks.profile import RobotProfile

LATENCY_S = 0.02  # of a stop
PERIOD_S = 0.05
POINTS = 1000
WARM = 200
STEPS = (10, 100, 300, 1000, 3000)  # of plans
NOUNS = [
    "Mug",
    "Cup",
    "Bowl",
    "Plate",
    "Knife",
    "Fork",
    "Spoon",
    "Apple",
    "Bread",
    "Potato",
    "Book",
    "Laptop",
    "CellPhone",
    "Pillow",
    "Towel",
    "Pen",
    "Watch",
    "Box",
    "Vase",
    "Bottle",
]
THINGS = [f"{noun}_{i}" for i in range(10) for noun in NOUNS]
PLACES = [
    "Table",
    "Desk",
    "Shelf",
    "CounterTop",
    "Sofa",
    "Bed",
    "Cabinet",
    "Drawer",
    "Sink",
    "Fridge",
]
# Elbow up, the tool above the table; and stretched forward, half way up.
AT_TABLE = {
    "shoulder_pan_joint": -0.5,
    "shoulder_lift_joint": -1.8,
    "elbow_joint": 2.0,
    "wrist_1_joint": -1.77,
    "wrist_2_joint": -1.57,
    "wrist_3_joint": 0.0,
}
AHEAD = {"lift": 0.4, "shoulder": 0.0, "elbow": 0.5, "wrist": 0.0}


def measured(ask: Callable[[int], Callable[[], MotionVerdict]], times: int) -> dict[str, float]:
    """Microseconds that a check takes, and how many of them allowed. `ask` makes its arguments."""
    taken = []
    allowed = 0
    for i in range(times + WARM):
        check = ask(i)
        begin = time.thread_time_ns()
        verdict = check()
        taken.append((time.thread_time_ns() - begin) / 1000)
        allowed += verdict.allowed and i >= WARM
    taken = sorted(taken[WARM:])
    return {
        "n": times,
        "allowed": allowed,
        "p50_us": taken[len(taken) // 2],
        "p99_us": taken[len(taken) * 99 // 100],
        "max_us": taken[-1],
    }


def twists(
    profile: RobotProfile, x: float, y: float, speed: float
) -> Callable[[int], Callable[[], MotionVerdict]]:
    """Commands of a base near a place, with two people a few metres off."""
    check = MotionCheck(profile, LATENCY_S)
    frame = (*profile.base_frames, "base_link")[0]

    def ask(i: int) -> Callable[[], MotionVerdict]:
        now = i * PERIOD_S
        pose = Pose(frame=profile.frame, x=x, y=y, yaw=math.sin(i), stamp=now)
        people = [PersonSeen(x=x - d, y=y - d, stamp=now) for d in (2.0, 2.5)]
        linear, angular = (speed, 0.0, 0.0), (0.0, 0.0, 0.3)
        return lambda: check.twist(linear, angular, frame, now, pose, people)

    return ask


def trajectories(
    profile: RobotProfile, middles: Mapping[str, float], part: float
) -> Callable[[int], Callable[[], MotionVerdict]]:
    """Swings of the joints about their middles, with a part of their greatest speed, 1 rad/s."""
    check = MotionCheck(profile, LATENCY_S)
    joints = [profile.limits.joints[name] for name in middles]
    swing = [part * joint.velocity for joint in joints]
    points = [
        JointPoint(
            positions=[
                m + a * math.sin(i / 50) for m, a in zip(middles.values(), swing, strict=True)
            ],
            velocities=[a * math.cos(i / 50) for a in swing],
            accelerations=[-a * math.sin(i / 50) for a in swing],
            time=i / 50,
        )
        for i in range(POINTS)
    ]
    names, start = list(middles), dict(middles)

    def ask(i: int) -> Callable[[], MotionVerdict]:
        pose = Pose(frame=profile.frame, x=4.0, y=2.5, stamp=float(i))
        people = [PersonSeen(x=8.0, y=5.0, stamp=float(i))]
        return lambda: check.trajectory(names, points, float(i), start, pose, people)

    return ask


def plan_of(steps: int, seed: int) -> list[str]:
    """Steps of housework with 200 things, drawn by the seed."""
    draw = random.Random(seed)
    plan: list[str] = []
    while len(plan) < steps:
        thing, place = draw.choice(THINGS), draw.choice(PLACES)
        plan += draw.choice(
            [
                [f"find {thing}", f"pick {thing}", f"find {place}", f"put {thing} in {place}"],
                [f"find {place}", f"open {place}", f"close {place}"],
                [f"fill {thing} water", f"pick {thing}", f"pour {thing} in Sink"],
                [f"turn on {thing}", f"turn off {thing}"],
                [f"clean {thing}", f"look at {thing}"],
            ]
        )
    return plan[:steps]


def plans(steps: int, times: int) -> dict[str, float]:
    """Milliseconds that a plan of so many steps takes; a check that has judged one before."""
    check = PlanCheck()
    check.judge(plan_of(steps, 0))
    taken = []
    for seed in range(1, times + 1):
        plan = plan_of(steps, seed)
        begin = time.thread_time_ns()
        check.judge(plan)
        taken.append((time.thread_time_ns() - begin) / 1e6)
    taken.sort()
    return {
        "steps": steps,
        "n": times,
        "p50_ms": taken[len(taken) // 2],
        "max_ms": taken[-1],
        "p50_us_a_step": taken[len(taken) // 2] * 1000 / steps,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    parser.add_argument("--twists", type=int, default=20_000)
    parser.add_argument("--trajectories", type=int, default=500)
    parser.add_argument("--plans", type=int, default=20)
    arguments = parser.parse_args()
    known = {name: profiles.load(path) for name, path in profiles.examples().items()}
    arm, home, base = known["arm_cell"], known["home_manipulator"], known["mobile_base"]
    n, few = arguments.twists, arguments.trajectories
    rows = {
        "twist, mobile_base": measured(twists(base, 0.0, 0.0, 0.3), n),
        "twist, mobile_base, too fast at the doorway": measured(twists(base, 0.0, 3.7, 0.5), n),
        "twist, home_manipulator": measured(twists(home, 5.0, 2.0, 0.3), n),
        "twist, home_manipulator, in the kitchen": measured(twists(home, 2.0, 3.6, 0.15), n),
        "twist, arm_cell (refused)": measured(twists(arm, 0.0, 0.0, 0.3), n),
    }
    bare = arm.model_copy(update={"arm": None})
    for what, profile, middles, part in (
        ("arm_cell, no links", bare, AT_TABLE, 0.05),
        ("arm_cell", arm, AT_TABLE, 0.05),
        ("arm_cell, wide", arm, AT_TABLE, 0.25),
        ("arm_cell, wider (refused)", arm, AT_TABLE, 0.5),
        ("home_manipulator", home, AHEAD, 0.05),
        ("home_manipulator, wide", home, AHEAD, 0.99),
    ):
        rows[f"trajectory, {what}, {POINTS} points"] = measured(
            trajectories(profile, middles, part), few
        )
    table = Table("check", "n", "allowed", "p50", "p99", "max", title="checks of motion, µs")
    for name, row in rows.items():
        if arguments.json:
            print(json.dumps({"check": name, **row}))
        figures = [f"{row[key]:.1f}" for key in ("p50_us", "p99_us", "max_us")]
        table.add_row(name, str(row["n"]), str(row["allowed"]), *figures)
    of_plans = Table("steps", "n", "p50", "max", "µs a step", title="checks of plans, ms")
    for steps in STEPS:
        row = plans(steps, arguments.plans)
        if arguments.json:
            print(json.dumps({"check": f"plan, {steps} steps", **row}))
        figures = [f"{row[key]:.1f}" for key in ("p50_ms", "max_ms", "p50_us_a_step")]
        of_plans.add_row(str(steps), str(row["n"]), *figures)
    if not arguments.json:
        Console().print(table, of_plans)


if __name__ == "__main__":
    main()
