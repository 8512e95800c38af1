"""Checks of motion: does this command stay inside the robot's limits, off zones, off people?

Pure: no ROS, no clock of its own. One `MotionCheck` for each stream of commands. Every rule may
only object, the first that does names itself, and a fault in a rule is a refusal ("motion.error").

A velocity command is judged by where it takes the robot before it could be stopped again: along
the arc of constant twist during the reaction time, and on along it while braking.

- zones, after ISO 13855:2010 clause 5, S = K * T + C. K: approach speed. T: overall system
  stopping performance, reaction time and stopping time. C: intrusion distance. Into a zone that is
  kept out of only the robot moves, so that K * T is the length of its path until it stands. Out of
  a zone of people somebody may step at any time, so K is the person's speed, and S is kept between
  the zone and that path.
- people, ISO/TS 15066:2016, 5.5.4.2.3: S_p = S_h + S_r + S_s + C + Z_d + Z_r. S_h = v_h * (T_r +
  T_s): how far the person comes. S_r = v_r * T_r: how far the robot comes in the reaction time.
  S_s = v_r^2 / (2 * a): while braking, T_s = v_r / a. C: intrusion distance. Z_d, Z_r: uncertainty
  of the person's and of the robot's position. S_r and S_s are not added as numbers, but by
  measuring from the path: for a person straight ahead that is the same.

Rest (every speed 0) is never refused for what the robot did before or where it is.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from itertools import chain, pairwise
from operator import attrgetter
from typing import Annotated, ParamSpec, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from redbutton.checks.arm import Place, Sweep, SweptArm, Unclear, Way
from redbutton.checks.profile import (
    DEFAULT,
    FAR,
    Clampable,
    Joint,
    Number,
    Point,
    RobotProfile,
    Text,
    Zone,
    ZoneKind,
)
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, refused
from redbutton.gate import REST_S
from redbutton.model import Frozen

Vector = tuple[float, float, float]
Row = NDArray[np.float64]
Stamp = Annotated[float, Field(strict=True, allow_inf_nan=False)]

ZERO: Vector = (0.0, 0.0, 0.0)
STOP_LATENCY_S = 0.11  # of a lost heartbeat, with relays: the longest of all stops
START_OFF = 0.05  # rad or m; so far may a trajectory that starts now be off where the joint is
TURN_OF_PIECE = 0.2  # rad; an arc is cut into pieces that turn no more
POINT = 1e-9  # m; what is smaller is a point
ROUNDING = 1e-9  # of a sum of floats, relative to 1
UNITS = {"linear": "m/s", "angular": "rad/s"}
RULES = {"velocities": "velocity", "accelerations": "acceleration", "effort": "effort"}
GOES = ("positions", "velocities", "accelerations")
NUMBERS = {float, int}  # no bool, no text


class Pose(Frozen):
    """A position (m) and heading (rad) in `frame`; `stamp` (s): when, on the clock of `now`."""

    frame: Text
    x: Number
    y: Number
    z: Number = 0.0
    yaw: Number = 0.0
    stamp: Stamp = 0.0


class PersonSeen(Frozen):
    """Where a person was seen (m), in the profile's frame, and when (s). `name`: "" if unknown."""

    name: str = ""
    x: Number
    y: Number
    stamp: Stamp


class MotionVerdict(Frozen):
    """The verdict, and what may be sent in place of the command where the profile lets it be cut:
    `linear` (m/s) and `angular` (rad/s). None: as it was asked for."""

    verdict: Verdict
    linear: Vector | None = None
    angular: Vector | None = None

    @property
    def allowed(self) -> bool:
        """The command, or what stands in its place, may pass."""
        return self.verdict.verdict is Judgement.ALLOW


@dataclass(frozen=True)
class JointPoint:
    """A point of a trajectory, in the order of its names: rad, rad/s, rad/s^2, N m, or m and N.
    `time` (s): from its start. What is empty is not given."""

    positions: Sequence[float]
    time: float
    velocities: Sequence[float] = ()
    accelerations: Sequence[float] = ()
    effort: Sequence[float] = ()


PASSED = MotionVerdict(verdict=ALLOWED)
Asked = ParamSpec("Asked")
Part = TypeVar("Part")


class _Objection(Exception):
    """A rule objects."""

    def __init__(self, rule: str, reason: str, step: int | None = None) -> None:
        super().__init__(reason)
        self.verdict = refused(f"motion.{rule}", reason, step)


def _judged(check: Callable[Asked, MotionVerdict]) -> Callable[Asked, MotionVerdict]:
    """Objections, and whatever else goes wrong, as a refusal: a check never raises."""

    @wraps(check)
    def judge(*args: Asked.args, **kwargs: Asked.kwargs) -> MotionVerdict:
        try:
            return check(*args, **kwargs)
        except _Objection as objection:
            return MotionVerdict(verdict=objection.verdict)
        except Exception as error:
            reason = f"the check failed: {type(error).__name__}"
            return MotionVerdict(verdict=_Objection("error", reason).verdict)

    return judge


@dataclass
class _Stream:
    """What passed last, and when: m/s, rad/s, m/s^2, s. `times`: of the last commands."""

    times: deque[float]
    linear: Vector = ZERO
    angular: Vector = ZERO
    acceleration: Vector = ZERO
    since: float = -math.inf

    def rest(self) -> None:
        """The gate tells an output to rest when its command is refused."""
        self.linear = self.angular = self.acceleration = ZERO


@dataclass
class _Twist:
    """A command while it is judged."""

    linear: Vector
    angular: Vector
    frame: str
    now: float
    pose: Pose | None
    people: Sequence[PersonSeen] | None
    acceleration: Vector = ZERO


@dataclass
class _Path:
    """Where the robot's middle goes until it stands. `off`: how far it may be off these points.
    `stopping`: T_s."""

    points: list[tuple[float, float]]
    off: float
    stopping: float
    bounds: tuple[float, float, float, float] = field(init=False)

    def __post_init__(self) -> None:
        xs = [x for x, _ in self.points]
        ys = [y for _, y in self.points]
        self.bounds = min(xs), min(ys), max(xs), max(ys)
        # Nothing is near to what is no number, and what is no number is not less either.
        if not sum(map(abs, (*xs, *ys, self.off))) < FAR * 100:
            raise _Objection("finite", "the path has no end")

    @cached_property
    def line(self) -> shapely.LineString | shapely.Point:
        """For shapely, which measures no distance to a line without length."""
        left, low, right, high = self.bounds
        if right - left < POINT and high - low < POINT:
            return shapely.Point(self.points[0])
        return shapely.linestrings(self.points)

    def near(self, shape: "_Shape", distance: float) -> bool:
        """Does it come so near to a shape? Most are far off, which the bounds tell."""
        left, low, right, high = self.bounds
        if (
            left > shape.right + distance
            or right < shape.left - distance
            or low > shape.high + distance
            or high < shape.low - distance
        ):
            return False
        if shape.is_box and any(shape.off(x, y) <= distance for x, y in self.points):
            return True
        return bool(shapely.dwithin(shape.polygon, self.line, distance))

    def distance(self, x: float, y: float) -> float:
        """From a point."""
        if len(self.points) == 1:
            return math.hypot(self.points[0][0] - x, self.points[0][1] - y)
        return min(_distance(x, y, *a, *b) for a, b in pairwise(self.points))


class _Shape:
    """A polygon, made ready. It may have holes."""

    def __init__(self, polygon: shapely.Polygon) -> None:
        self.polygon = polygon
        self.border = polygon.boundary
        self.left, self.low, self.right, self.high = self.polygon.bounds
        self.is_box = self.polygon.equals(shapely.box(*self.polygon.bounds))
        shapely.prepare(self.polygon)
        shapely.prepare(self.border)

    def off(self, x: float, y: float) -> float:
        """How far a point is off the box around it."""
        aside = max(self.left - x, 0.0, x - self.right)
        return math.hypot(aside, max(self.low - y, 0.0, y - self.high))

    def holds(self, path: _Path, margin: float) -> bool:
        """Is all of a path inside, further than `margin` from the border?"""
        left, low, right, high = path.bounds
        if (
            left - margin <= self.left
            or right + margin >= self.right
            or low - margin <= self.low
            or high + margin >= self.high
        ):
            return False
        return self.is_box or (
            bool(shapely.contains_xy(self.polygon, *path.points[0]))
            and not shapely.dwithin(self.border, path.line, margin)
        )


class Envelope:
    """What a plan leaves of motion: `speed` (m/s), until when (s), whether it moves the arm too,
    and all that is nearer than `width` (m) to the straight ways between `stops`."""

    def __init__(
        self, stops: Sequence[Point], width: float, speed: float, arm: bool, until: float
    ) -> None:
        line = shapely.Point(stops[0]) if len(set(stops)) == 1 else shapely.LineString(stops)
        self._shape = _Shape(line.buffer(width)) if stops else None
        self.speed = speed
        self.arm = arm
        self.until = until

    def holds(self, path: _Path) -> bool:
        """Is all of a path inside, as far as that is known?"""
        return self._shape is not None and self._shape.holds(path, path.off)


class MotionCheck:
    """The rules on motion of one robot, for one stream of commands."""

    def __init__(
        self,
        profile: RobotProfile,
        stop_latency_s: float,
        envelope: Callable[[], Envelope | None] | None = None,
    ) -> None:
        """`stop_latency_s`: measured, from a request to the load being off. A part of T_r.
        `envelope`: of the plan that is carried out, None while there is none; without it motion
        needs no plan."""
        if not 0 <= stop_latency_s < math.inf:
            raise ValueError("the stop latency must be a time")
        self._profile = profile
        self._limits = profile.limits
        self._terms = profile.speed_and_separation
        self._reaction = self._terms.reaction_time + stop_latency_s
        self._zones = [(zone, _Shape(shapely.Polygon(zone.polygon))) for zone in profile.zones]
        self._slowest = min((zone.speed for zone in profile.zones if zone.speed), default=math.inf)
        space = self._limits.workspace
        self._space = _Shape(shapely.Polygon(space.polygon)) if space else None
        arm = profile.arm
        self._arm = SweptArm(arm, self._limits.joints, self._reaction) if arm else None
        kinds = {zone.kind for zone in profile.zones}
        self._minds_people = bool(profile.people) or ZoneKind.PEOPLE in kinds
        self._envelope = envelope
        self._minds_place = bool(self._zones or self._space or self._minds_people)
        self._minds_way = self._minds_place or envelope is not None
        rate = self._limits.command_rate
        self._burst = max(1, int(rate))
        self._window = self._burst / rate
        self._stream = _Stream(deque(maxlen=self._burst))
        self._rules: tuple[Callable[[_Twist], None], ...] = (
            self._in_base_frame,
            self._speed,
            self._rate,
            self._acceleration,
            self._jerk,
            self._whereabouts,
            self._planned_speed,
        )
        self._rules_of_place: tuple[Callable[[_Twist, _Path], None], ...] = (
            self._workspace,
            self._keep_out,
            self._zone_speed,
            self._zone_of_people,
            self._separation,
            self._corridor,
        )

    # --- velocity

    def twist(
        self,
        linear: Vector,
        angular: Vector,
        frame: str,
        now: float,
        pose: Pose | None,
        people: Sequence[PersonSeen] | None,
    ) -> MotionVerdict:
        """A velocity command: m/s and rad/s in the base's `frame`, at `now` (s, monotonic).
        `pose`: None if unknown. `people`: all who are seen; None if nothing looks for them."""
        verdict = self._twist(_Twist(linear, angular, frame, now, pose, people))
        if not verdict.allowed:
            self._stream.rest()
        return verdict

    @_judged
    def _twist(self, asked: _Twist) -> MotionVerdict:
        linear = asked.linear = _vector("linear", asked.linear)
        angular = asked.angular = _vector("angular", asked.angular)
        now = asked.now
        _finite("time", (now,))
        stream = self._stream
        if not any(linear) and not any(angular):
            stream.rest()
            stream.since = now
            return PASSED
        if angular[0] or angular[1]:
            raise _Objection("shape", "a base turns about z only")
        if now < stream.since:
            raise _Objection("rate", "time goes backwards")
        if now - stream.since >= REST_S:
            stream.rest()
        for rule in self._rules:
            rule(asked)
        if asked.pose is not None and (self._minds_way or asked.people):
            path = self._predicted(asked.pose, asked)
            for rule_of_place in self._rules_of_place:
                rule_of_place(asked, path)
        stream.linear, stream.angular, stream.since = asked.linear, asked.angular, now
        stream.acceleration = asked.acceleration
        if asked.linear == linear and asked.angular == angular:
            return PASSED
        return MotionVerdict(verdict=ALLOWED, linear=asked.linear, angular=asked.angular)

    def _in_base_frame(self, asked: _Twist) -> None:
        if asked.frame not in self._profile.base_frames:
            raise _Objection("frame", f"velocities must be in {self._frames()}")

    def _frames(self) -> str:
        return " or ".join(self._profile.base_frames) or "no frame: this base does not move"

    def _speed(self, asked: _Twist) -> None:
        """Cut as a whole, so that the robot goes the same way, slower."""
        for what, unit in UNITS.items():
            most = getattr(self._limits, f"{what}_speed")
            speed = math.hypot(*getattr(asked, what))
            if speed <= most * (1 + ROUNDING):
                continue
            if Clampable(f"{what}_speed") not in self._profile.clamp:
                raise _Objection(
                    "speed", f"{what} speed {speed:.3g} {unit} is beyond {most:g} {unit}"
                )
            asked.linear = _scaled(asked.linear, most / speed)
            asked.angular = _scaled(asked.angular, most / speed)

    def _rate(self, asked: _Twist) -> None:
        self._count(asked.now)

    def _count(self, now: float) -> None:
        """At most `command_rate` in a second, however they come in it."""
        times = self._stream.times
        if len(times) == self._burst and now - times[0] < self._window * (1 - ROUNDING):
            rate = self._limits.command_rate
            raise _Objection("rate", f"more commands than {rate:g} in a second")
        times.append(now)

    def _acceleration(self, asked: _Twist) -> None:
        """From what passed last. From rest, as much as the time until rest is assumed gives."""
        stream = self._stream
        elapsed = min(asked.now - stream.since, REST_S)
        for what, unit in UNITS.items():
            most = getattr(self._limits, f"{what}_acceleration")
            last, wanted = getattr(stream, what), getattr(asked, what)
            change = math.dist(last, wanted)
            if change <= most * elapsed + ROUNDING:
                continue
            if Clampable(f"{what}_acceleration") not in self._profile.clamp:
                raise _Objection(
                    "acceleration",
                    f"{what} speed changes by {change:.3g} in {elapsed:.3g} s, beyond "
                    f"{most:g} {unit}/s",
                )
            part = most * elapsed / change
            cut = tuple(a + (b - a) * part for a, b in zip(last, wanted, strict=True))
            setattr(asked, what, cut)
        if elapsed > 0:
            x, y, z = ((b - a) / elapsed for a, b in zip(stream.linear, asked.linear, strict=True))
            asked.acceleration = (x, y, z)

    def _jerk(self, asked: _Twist) -> None:
        most = self._limits.linear_jerk
        if most is None:
            return
        elapsed = min(asked.now - self._stream.since, REST_S)
        change = math.dist(self._stream.acceleration, asked.acceleration)
        if change > most * elapsed + ROUNDING:
            raise _Objection("jerk", f"acceleration changes by {change:.3g} m/s^2: a jerk")

    def _whereabouts(self, asked: _Twist) -> None:
        self._known(asked.pose, asked.people, asked.now, self._minds_way)

    def _known(
        self,
        pose: Pose | None,
        people: Sequence[PersonSeen] | None,
        now: float,
        minds_place: bool,
    ) -> None:
        """Is it known where robot and people are, if a rule asks for it?"""
        if pose is not None:
            self._pose(pose)
        if people is None and self._minds_people:
            raise _Objection("people_unknown", "nothing says where people are")
        for person in () if people is None else _sequence("people", people):
            if not isinstance(person, PersonSeen):
                raise _Objection("shape", "a person is none")
            _finite("person", (person.x, person.y, person.stamp))
        if not minds_place and not people:
            return
        if pose is None:
            raise _Objection("pose_unknown", "where the robot is, is unknown")
        if abs(now - pose.stamp) > self._profile.pose_age:
            raise _Objection("pose_unknown", f"the pose is {now - pose.stamp:.2f} s old")

    def _pose(self, pose: Pose, step: int | None = None) -> None:
        if not isinstance(pose, Pose):
            raise _Objection("shape", "a pose is none", step)
        _finite("pose", (pose.x, pose.y, pose.z, pose.yaw, pose.stamp), step)
        if max(abs(pose.x), abs(pose.y)) > FAR:
            raise _Objection("shape", f"the pose is further off than {FAR:g} m", step)
        if pose.frame != self._profile.frame:
            raise _Objection("frame", f"poses must be in {self._profile.frame}", step)

    def _predicted(self, pose: Pose, asked: _Twist) -> _Path:
        """Until the robot stands. Braking from v with a takes v / a, in which it goes as far as in
        half that time at v: the arc goes on for T_r + T_s / 2. What the pose's age and error hide
        is how far the path may be `off`, and so is what is between an arc and its chords."""
        (x, y, _), turn = asked.linear, asked.angular[2]
        speed = math.hypot(*asked.linear)
        stopping = speed / self._profile.deceleration
        lasts = self._reaction + stopping / 2
        off = self._terms.robot_uncertainty
        off += abs(asked.now - pose.stamp) * self._limits.linear_speed
        cosine, sine = math.cos(pose.yaw), math.sin(pose.yaw)
        points = [(pose.x, pose.y)]
        if speed:
            if abs(turn) * lasts > math.tau:
                lasts = math.tau / abs(turn)  # round and round
            pieces = 1 + int(abs(turn) * lasts / TURN_OF_PIECE)
            for i in range(1, pieces + 1):
                ahead, aside = _after(x, y, turn, lasts * i / pieces)
                points.append(
                    (
                        pose.x + ahead * cosine - aside * sine,
                        pose.y + ahead * sine + aside * cosine,
                    )
                )
            off += speed * abs(turn) * (lasts / pieces) ** 2 / 8
        return _Path(points, off, stopping)

    def _workspace(self, asked: _Twist, path: _Path) -> None:
        assert asked.pose is not None
        lasts = self._reaction + path.stopping / 2
        heights = asked.pose.z, asked.pose.z + asked.linear[2] * lasts
        self._inside(path, heights, "it could not stop inside the workspace")

    def _inside(
        self, path: _Path, heights: Sequence[float], reason: str, step: int | None = None
    ) -> None:
        space = self._limits.workspace
        if space is None or self._space is None:
            return
        low, high = space.z.min, space.z.max
        margin = self._profile.footprint_radius + path.off
        if (
            not low <= min(heights)
            or not max(heights) <= high
            or not self._space.holds(path, margin)
        ):
            raise _Objection("workspace", reason, step)

    def _keep_out(self, asked: _Twist, path: _Path) -> None:
        for zone in self._reached(path, ZoneKind.KEEP_OUT):
            raise _Objection("keep_out", f"it could not stop before zone {zone.name}")

    def _zone_speed(self, asked: _Twist, path: _Path) -> None:
        speed = math.hypot(*asked.linear)
        if speed <= self._slowest:
            return
        for zone in self._reached(path, ZoneKind.SPEED):
            if zone.speed is None or speed > zone.speed + ROUNDING:
                raise _Objection(
                    "zone_speed", f"{speed:.3g} m/s is beyond {zone.speed} m/s of zone {zone.name}"
                )

    def _zone_of_people(self, asked: _Twist, path: _Path) -> None:
        for zone in self._reached(path, ZoneKind.PEOPLE, self._approach(path.stopping)):
            raise _Objection("people_zone", f"too near to zone {zone.name} of people")

    def _reached(self, path: _Path, kind: ZoneKind, more: float = 0.0) -> Iterator[Zone]:
        """The zones of a kind that the footprint comes to, or `more` before them."""
        margin = self._profile.footprint_radius + path.off + more
        return (
            zone for zone, shape in self._zones if zone.kind is kind and path.near(shape, margin)
        )

    def _separation(self, asked: _Twist, path: _Path) -> None:
        radius = self._profile.footprint_radius
        self._separated(asked.people or (), path, radius, asked.now)

    def _separated(
        self, people: Sequence[PersonSeen], path: _Path | Sweep, radius: float, now: float
    ) -> None:
        """S_p, or the distance that the person asks for if that is more. Who was seen a while ago
        may have come nearer since."""
        terms, wanted = self._terms, self._profile.people
        for person in people:
            age = max(0.0, now - person.stamp)
            least = self._approach(path.stopping + age) + terms.person_uncertainty
            if entry := wanted.get(person.name) or wanted.get(DEFAULT):
                least = max(least, entry.distance)
            distance = path.distance(person.x, person.y) - radius - path.off
            if distance < least - ROUNDING:
                who = person.name or "a person"
                raise _Objection(
                    "separation", f"{who} would be {distance:.2f} m off, not {least:.2f} m"
                )

    def _plan(self, now: float) -> Envelope | None:
        """What the plan leaves; None if motion needs no plan."""
        if self._envelope is None:
            return None
        envelope = self._envelope()
        if envelope is None:
            raise _Objection("no_plan", "no plan that was checked is being carried out")
        if not now < envelope.until:
            raise _Objection("no_plan", "the time of the plan that was checked is over")
        return envelope

    def _planned_speed(self, asked: _Twist) -> None:
        plan = self._plan(asked.now)
        speed = math.hypot(*asked.linear)
        if plan is not None and speed > plan.speed * (1 + ROUNDING):
            raise _Objection("planned_speed", f"{speed:.3g} m/s is beyond the plan's")

    def _corridor(self, asked: _Twist, path: _Path) -> None:
        plan = self._plan(asked.now)
        if plan is not None and not plan.holds(path):
            raise _Objection("corridor", "it would leave the ways of the plan that was checked")

    def _approach(self, stopping: float) -> float:
        """K * T + C of ISO 13855, which is S_h + C of ISO/TS 15066."""
        terms = self._terms
        return terms.human_speed * (self._reaction + stopping) + terms.intrusion_distance

    # --- joints

    @_judged
    def trajectory(
        self,
        names: Sequence[str],
        points: Sequence[JointPoint],
        now: float,
        joints: Mapping[str, float] | None,
        pose: Pose | None,
        people: Sequence[PersonSeen] | None,
    ) -> MotionVerdict:
        """A trajectory of the joints `names`, that are at `joints` (rad, m; None if unknown). No
        points: they hold, which is rest.

        Speeds are those that it names and those that it needs, from where the joints are and
        between its points; accelerations likewise. Where the arm goes, its links say; without
        them, for people it may be anywhere in `reach`, and zones are not looked at.
        """
        _finite("time", (now,))
        limits = self._joints(_sequence("names", names))
        if not _sequence("points", points):
            return PASSED
        times = _times(points)
        columns = {
            what: _columns(what, list(map(attrgetter(what), points)), len(limits))
            for what in (*GOES, "effort")
        }
        if columns["positions"] is None:
            raise _Objection("shape", "a trajectory needs positions")
        self._count(now)
        if joints is None or not all(name in joints for name in limits):
            raise _Objection("joints_unknown", "where the joints are, is unknown")
        _finite("joints", joints.values())
        for i, (name, joint) in enumerate(limits.items()):
            given = {what: rows[i] for what, rows in columns.items() if rows is not None}
            _joint_within(name, joint, joints[name], times, given)
        if self._arm is not None and self._arm.fixed:
            pose = Pose.model_construct(frame=self._profile.frame, x=0.0, y=0.0, stamp=now)
        self._known(pose, people, now, self._minds_place)
        plan = self._plan(now)
        if plan is not None and not plan.arm:
            raise _Objection("planned_arm", "the plan that was checked moves no joints")
        if self._arm is not None and (people or self._minds_place):
            q, v, a = (
                {} if (rows := columns[what]) is None else dict(zip(limits, rows, strict=True))
                for what in GOES
            )
            way = Way(joints, times, q, v, a, _stopping(limits.values()))
            self._links_stay(self._swept(self._arm, way, pose, now), people or (), now)
        elif people or self._minds_people:
            self._arm_off_people(limits.values(), pose, people or (), now)
        return PASSED

    def _joints(self, names: Sequence[str]) -> Mapping[str, Joint]:
        known = self._limits.joints
        joints = {name: known[name] for name in names if name in known}
        if len(joints) != len(names):
            raise _Objection("joints", "names a joint that is not in the profile, or one twice")
        return joints

    def _arm_off_people(
        self,
        joints: Iterable[Joint],
        pose: Pose | None,
        people: Sequence[PersonSeen],
        now: float,
    ) -> None:
        """The arm, as a circle that it does not leave. T_s: until its slowest joint stands."""
        assert pose is not None
        stopping = _stopping(joints)
        off = self._terms.robot_uncertainty
        off += abs(now - pose.stamp) * self._limits.linear_speed
        more = max(0.0, self._profile.reach - self._profile.footprint_radius)
        circle = _Path([(pose.x, pose.y)], off, stopping)
        self._separated(people, circle, self._profile.footprint_radius + more, now)
        for zone in self._reached(circle, ZoneKind.PEOPLE, more + self._approach(stopping)):
            raise _Objection("people_zone", f"too near to zone {zone.name} of people")

    def _swept(self, arm: SweptArm, way: Way, pose: Pose | None, now: float) -> Sweep:
        """Where the arm goes until it stands. An older pose hides how the base came and turned."""
        assert pose is not None
        if not all(name in way.start for name in arm.joints):
            raise _Objection("joints_unknown", "where all joints of the arm are, is unknown")
        moved = self._limits.linear_speed + self._limits.angular_speed * arm.length
        off = self._terms.robot_uncertainty + abs(now - pose.stamp) * moved
        try:
            return arm.sweep(way, Place(pose.x, pose.y, pose.z, pose.yaw, off))
        except Unclear as error:
            raise _Objection("arm", str(error)) from None

    def _links_stay(self, arm: Sweep, people: Sequence[PersonSeen], now: float) -> None:
        """In the workspace, off zones and off people: all of them, all the way."""
        space = self._limits.workspace
        if space is not None and self._space is not None:
            step = arm.outside(self._space.polygon, self._space.border, space.z)
            if step is not None:
                raise _Objection("workspace", "the arm could not stop inside the workspace", step)
        away = {ZoneKind.KEEP_OUT: 0.0, ZoneKind.PEOPLE: self._approach(arm.stopping)}
        for zone, shape in self._zones:
            if zone.kind in away:
                step = arm.near(shape.polygon, away[zone.kind])
                if step is not None:
                    rule = "keep_out" if zone.kind is ZoneKind.KEEP_OUT else "people_zone"
                    raise _Objection(rule, f"the arm comes too near to zone {zone.name}", step)
        self._separated(people, arm, 0.0, now)

    # --- places

    @_judged
    def goal(self, pose: Pose, now: float) -> MotionVerdict:
        """A pose to go to: may the robot stand there?"""
        self._pose(pose)
        self._standing([pose], None, now)
        return PASSED

    @_judged
    def path(self, poses: Sequence[Pose], now: float) -> MotionVerdict:
        """A path, straight between its poses: may the robot be all along it?"""
        if not _sequence("path", poses):
            raise _Objection("shape", "a path needs poses")
        for i, pose in enumerate(poses):
            self._pose(pose, i)
        self._standing(poses[:1], 0, now)
        for i, piece in enumerate(pairwise(poses), start=1):
            self._standing(piece, i, now)
        return PASSED

    def _standing(self, poses: Sequence[Pose], step: int | None, now: float) -> None:
        line = _Path([(pose.x, pose.y) for pose in poses], self._terms.robot_uncertainty, 0.0)
        self._inside(line, [pose.z for pose in poses], "it leaves the workspace", step)
        for zone in self._reached(line, ZoneKind.KEEP_OUT):
            raise _Objection("keep_out", f"it comes into zone {zone.name}", step)
        for zone in self._reached(line, ZoneKind.PEOPLE, self._approach(0.0)):
            raise _Objection("people_zone", f"too near to zone {zone.name} of people", step)
        plan = self._plan(now)
        if plan is not None and not plan.holds(line):
            raise _Objection("corridor", "it leaves the ways of the plan that was checked", step)


def _vector(what: str, given: Sequence[float]) -> Vector:
    if len(_sequence(what, given)) != 3:
        raise _Objection("shape", f"{what} needs three numbers")
    x, y, z = given
    _finite(what, (x, y, z))
    return float(x), float(y), float(z)


def _sequence(what: str, given: Sequence[Part]) -> Sequence[Part]:
    if not isinstance(given, list | tuple):
        raise _Objection("shape", f"{what}: {type(given).__name__} is no list")
    return given


def _finite(what: str, values: Iterable[float], step: int | None = None) -> None:
    for value in values:
        if type(value) not in NUMBERS:
            raise _Objection("shape", f"{what}: {type(value).__name__} is no number", step)
        if not math.isfinite(value):
            raise _Objection("finite", f"{what} is not finite", step)


def _scaled(vector: Vector, by: float) -> Vector:
    x, y, z = vector
    return x * by, y * by, z * by


def _after(x: float, y: float, turn: float, time: float) -> tuple[float, float]:
    """How far a constant twist takes it ahead and aside (m)."""
    angle = turn * time
    if abs(angle) < 1e-6:
        return x * time, y * time
    along, across = math.sin(angle) / turn, (1 - math.cos(angle)) / turn
    return x * along - y * across, x * across + y * along


def _distance(x: float, y: float, ax: float, ay: float, bx: float, by: float) -> float:
    """From a point to a straight piece."""
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    part = ((x - ax) * dx + (y - ay) * dy) / length if length else 0.0
    part = min(1.0, max(0.0, part))
    return math.hypot(ax + part * dx - x, ay + part * dy - y)


def _times(points: Sequence[JointPoint]) -> Row:
    times = [point.time for point in points]
    _finite("time", times)
    found = np.array(times, dtype=np.float64)
    if found[0] < 0 or (found[1:] <= found[:-1]).any():
        raise _Objection("shape", "the times of a trajectory must rise from 0")
    return found


def _columns(what: str, rows: Sequence[Sequence[float]], width: int) -> Row | None:
    """The values of each joint, over time, shape (joints, points); None if none are given."""
    widths = set(map(len, rows))
    if widths == {0}:
        return None
    if widths != {width}:
        raise _Objection("shape", f"{what}: must be one for each joint, in all points or in none")
    values = list(chain.from_iterable(rows))
    if not set(map(type, values)) <= NUMBERS:
        raise _Objection("shape", f"{what}: not all are numbers")
    columns = np.ascontiguousarray(np.array(values, dtype=np.float64).reshape(-1, width).T)
    finite = np.isfinite(columns)
    if not finite.all():
        step = int(np.argwhere(~finite)[0][1])
        raise _Objection("finite", f"{what} are not finite", step)
    return columns


def _stopping(joints: Iterable[Joint]) -> float:
    """T_s: until the slowest of them stands, from its greatest speed."""
    return max(joint.velocity / joint.acceleration for joint in joints)


def _joint_within(
    name: str,
    joint: Joint,
    start: float,
    times: Row,
    given: Mapping[str, Row],
) -> None:
    positions = given["positions"]
    _within("joint_position", name, positions, joint.position.min, joint.position.max)
    for what, most in (
        ("velocities", joint.velocity),
        ("accelerations", joint.acceleration),
        ("effort", joint.effort),
    ):
        if what in given and most is not None:
            _within(f"joint_{RULES[what]}", name, given[what], -most, most)
    if times[0] > 0:
        positions = np.concatenate(((start,), positions))
        times = np.concatenate(((0.0,), times))
    elif abs(positions[0] - start) > START_OFF:
        raise _Objection("joint_start", f"{name} is at {start:.4g}, not {positions[0]:.4g}", 0)
    velocities = _slopes(positions, times)
    _within("joint_velocity", name, velocities, -joint.velocity, joint.velocity)
    if "velocities" in given:
        velocities = given["velocities"]
        times = times[-len(velocities) :]
    else:
        times = (times[1:] + times[:-1]) / 2
    accelerations = _slopes(velocities, times)
    _within("joint_acceleration", name, accelerations, -joint.acceleration, joint.acceleration)


def _slopes(values: Row, times: Row) -> Row:
    """By how much they change in a second, from each to the next."""
    with np.errstate(all="ignore"):  # what is no number is not within anything
        slopes: Row = np.diff(values) / np.diff(times)
    return slopes


def _within(rule: str, name: str, values: Row, least: float, most: float) -> None:
    if not len(values):
        return
    room = ROUNDING * (most - least)
    smallest, greatest = float(values.min()), float(values.max())
    if not (least - room <= smallest and greatest <= most + room):
        value = smallest if smallest < least else greatest
        what = rule.removeprefix("joint_")
        reason = f"{what} {value:.4g} of {name} is not within {least:.4g} to {most:.4g}"
        raise _Objection(rule, reason)
