"""Where an arm goes: its links as capsules, along a trajectory and until a stop has stopped it.

Pure, in arrays. Every bound is on the safe side:

- between two points a joint goes straight, or on the cubic or quintic polynomial that velocities
  and accelerations make of it. A polynomial in Bernstein's form lies in the convex hull of its
  control points, and its slope in that of theirs (G. Farin, Curves and Surfaces for CAGD, 5th ed.,
  2002, chapter 5): as far as they are off the straight way, so may the joints be.
- the straight way is sampled each STEP of the length by which no point of the arm moves further:
  the sum over joints of the longest lever times the angle. Whatever is between two samples is no
  further than half a step from one.
- a stop may come anywhere. In the reaction time T_r a joint goes on, then it brakes with its
  acceleration a: v T_r + v^2 / (2 a), by any part of which each joint may be further. By that and
  by what they are off the straight way, the ends of a link are displaced by no more than the sum
  over joints of distance from the axis times angle (`kinematics.displacements`), and all of a link
  by no more than that end of it which is displaced further.

A capsule holds its link in each sample, and is as much thicker as the link may be off. Links that
no joint moves are not judged: they are where the robot is. Joints that a trajectory does not name
and the robot's base are taken to stand. Whether the arm meets itself is not judged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from redbutton.checks.kinematics import Array, displacements, forward, lengths, levers, rotation
from redbutton.checks.profile import FAR, Arm, Joint, Range

STEP = 0.02  # m
STEPS_MOST = 2_000  # of one trajectory; they are longer rather than more
STEP_MOST = 0.05  # m
POINT = 1e-9  # m; what is shorter has no direction
BLOCK = 256  # capsules that are looked at as one first
MIDDLE = {1: 1.0, 3: 1 / 2, 5: 3 / 8}  # by degree: the most that the slope's middle point weighs

Columns = Mapping[str, Sequence[float] | NDArray[np.float64]]


class Unclear(ValueError):
    """Where the arm goes cannot be told."""


@dataclass(frozen=True)
class Way:
    """A trajectory: where all joints of the arm are, at `start`; and of each joint that it names
    the values at `times` (s). What is not given has no entry. `stopping` (s): until the slowest
    of these joints stands."""

    start: Mapping[str, float]
    times: Sequence[float] | NDArray[np.float64]
    positions: Columns
    velocities: Columns
    accelerations: Columns
    stopping: float


@dataclass(frozen=True)
class Place:
    """Where the robot's base is (m, rad), and how far off that the arm may be (m)."""

    x: float
    y: float
    z: float
    yaw: float
    off: float


class Sweep:
    """All that an arm comes to: M capsules. `begins`, `ends`: of their lines, shape (3, M), m.
    `width`: their radius and all that they may be off, shape (M,), m. `points`: the point of the
    trajectory that it goes to. `stopping`: T_s (s). Unclear if not all is finite."""

    off = 0.0  # it is in the width

    def __init__(
        self,
        begins: Array,
        ends: Array,
        width: Array,
        points: NDArray[np.intp],
        stopping: float,
    ) -> None:
        self.stopping = stopping
        self._begins, self._ends = begins, ends
        self._width, self._points = width, points
        self._low = np.minimum(begins, ends) - width
        self._high = np.maximum(begins, ends) + width
        self._lowest, self._highest = self._low.min(axis=1), self._high.max(axis=1)
        # Nothing is near to what is no number.
        if not self._highest.max() - self._lowest.min() < FAR * 100:
            raise Unclear("where the arm goes is not finite")

    def near(self, polygon: shapely.Polygon, more: float = 0.0) -> int | None:
        """The point before which it first comes nearer to a polygon of the floor than `more`."""
        left, low, right, high = polygon.bounds
        close = np.flatnonzero(
            (self._low[0] <= right + more)
            & (self._high[0] >= left - more)
            & (self._low[1] <= high + more)
            & (self._high[1] >= low - more)
        )
        return self._first(close[self._within(polygon, close, more)]) if len(close) else None

    def outside(self, polygon: shapely.Polygon, border: shapely.Geometry, z: Range) -> int | None:
        """The point before which it first leaves a polygon of the floor, or a range of heights."""
        left, low, right, high = polygon.bounds
        lowest, highest = np.array((left, low, z.min)), np.array((right, high, z.max))
        if not ((lowest < self._lowest) & (self._highest < highest)).all():
            out = (self._low <= lowest[:, None]) | (self._high >= highest[:, None])
            return self._first(np.flatnonzero(out.any(axis=0)))
        which = self._unless_inside(polygon)
        if not len(which):
            return None
        inside = np.asarray(shapely.contains_xy(polygon, *self._begins[:2, which]))
        return self._first(which[~inside | self._within(border, which, 0.0)])

    def _unless_inside(self, polygon: shapely.Polygon) -> NDArray[np.intp]:
        """The capsules but those which a box holds that is inside of a polygon of the floor."""
        blocks = np.arange(0, len(self._width), BLOCK)
        left, low, _ = np.minimum.reduceat(self._low, blocks, axis=1)
        right, high, _ = np.maximum.reduceat(self._high, blocks, axis=1)
        inside = shapely.contains_properly(polygon, shapely.box(left, low, right, high))
        return np.flatnonzero(~np.repeat(inside, BLOCK)[: len(self._width)])

    def distance(self, x: float, y: float) -> float:
        """From a point of the floor; below 0 if it stands in a capsule."""
        (ax, ay), (bx, by) = self._begins[:2], self._ends[:2]
        dx, dy, tx, ty = bx - ax, by - ay, x - ax, y - ay
        length = dx * dx + dy * dy
        part = np.clip((tx * dx + ty * dy) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        return float(np.min(np.hypot(tx - part * dx, ty - part * dy) - self._width))

    def _first(self, which: NDArray[np.intp]) -> int | None:
        return int(self._points[which[0]]) if len(which) else None

    def _within(
        self, shape: shapely.Geometry, which: NDArray[np.intp], more: float
    ) -> NDArray[np.bool_]:
        """Which of some capsules come nearer to a shape of the floor than `more`. Shapely measures
        no distance to a line without length, as that of a link that stands upright."""
        begins, ends = self._begins[:2, which].T, self._ends[:2, which].T
        lines = np.asarray(shapely.linestrings(np.stack((begins, ends), axis=1)))
        short = np.hypot(*(ends - begins).T) < POINT
        lines[short] = shapely.points(begins[short])
        width = self._width[which] + more
        with np.errstate(all="ignore"):  # of lines that are all but parallel to an axis
            near: NDArray[np.bool_] = shapely.dwithin(shape, lines, width)  # type: ignore[call-overload]
        return near


class SweptArm:
    """The arm of a profile. `reaction`: T_r (s). `length` (m): from the middle of the robot's base
    no part of it is further off than this and its radius."""

    def __init__(self, arm: Arm, limits: Mapping[str, Joint], reaction: float) -> None:
        self.fixed = arm.fixed
        self.joints = [link.joint for link in arm.links if link.joint is not None]
        self._links = arm.links
        self._reaction = reaction
        self._accelerations = np.array([limits[name].acceleration for name in self.joints])
        mount = arm.mount
        self._origin = np.array((mount.x, mount.y, mount.z))
        self._turned = rotation(mount.roll, mount.pitch, mount.yaw)
        self.length = math.hypot(mount.x, mount.y) + sum(lengths(arm.links, limits))
        every = levers(arm.links, limits)
        self._lever = every[:, -1]
        moved = np.asarray(every.any(axis=0))
        self._moving = np.flatnonzero(moved[:-1] | moved[1:])
        self._radius = np.array([arm.links[i].radius for i in self._moving])

    def sweep(self, way: Way, place: Place) -> Sweep:
        """Where a trajectory takes it; Unclear if that is too far, or nowhere."""
        with np.errstate(all="ignore"):  # what is not finite is found at the end
            return self._sweep(way, place)

    def _sweep(self, way: Way, place: Place) -> Sweep:
        corners, moved = self._pieces(way)
        joints, moved, points, half = self._samples(corners, moved)
        base = rotation(0.0, 0.0, place.yaw)
        origin = np.array((place.x, place.y, place.z)) + base @ self._origin
        ends, axes = forward(self._links, joints.T, base @ self._turned, origin)
        off = displacements(self._links, ends, axes, moved.T)
        i = self._moving
        width = np.maximum(off[:, i], off[:, i + 1]) + (self._radius + half + place.off)
        return Sweep(
            ends[:, i].transpose(2, 0, 1).reshape(3, -1),
            ends[:, i + 1].transpose(2, 0, 1).reshape(3, -1),
            width.ravel(),
            np.repeat(points, len(i)),
            way.stopping,
        )

    def _pieces(self, way: Way) -> tuple[Array, Array]:
        """The corners of the straight way, shape (joints, points + 1), the first is where the
        joints are. And by how much each joint may be off each piece of it, shape (joints, points),
        until it stands."""
        start = np.array([way.start[name] for name in self.joints], dtype=np.float64)
        corners = np.tile(start[:, None], len(way.times) + 1)
        self._fill(corners, way.positions)
        derived = []
        for columns in (way.velocities, way.accelerations):
            if not columns:
                break
            derived.append(np.zeros_like(corners))
            self._fill(derived[-1], columns)
        lasts = np.diff(way.times, prepend=0.0)
        controls = _controls(corners, lasts, *derived)
        speed = _speeds(controls, lasts)
        off = _off_chord(controls, self._lever)
        # What a joint is off when it starts now, it makes up for at once.
        off = np.where(lasts > 0, off, np.abs(controls[-1] - controls[0]))
        braking = speed**2 / (2 * self._accelerations[:, None])
        return corners, off + speed * self._reaction + braking

    def _fill(self, rows: Array, columns: Columns) -> None:
        """All but the first of each joint, with what is given of it."""
        for row, name in zip(rows, self.joints, strict=True):
            if name in columns:
                row[1:] = columns[name]

    def _samples(
        self, corners: Array, moved: Array
    ) -> tuple[Array, Array, NDArray[np.intp], float]:
        """N samples of the straight way, shape (joints, N); by how much each joint may be off,
        likewise; the points that they go to; and half a step (m)."""
        lengths = _summed(self._lever, np.abs(np.diff(corners)))
        ends = np.cumsum(lengths)
        begins = ends - lengths
        begins[1:] = ends[:-1]
        whole = ends[-1]
        if not whole <= STEPS_MOST * STEP_MOST:
            raise Unclear(f"the ways of its joints are longer than {STEPS_MOST * STEP_MOST:g} m")
        steps = min(math.ceil(whole / STEP), STEPS_MOST)
        at = np.linspace(0.0, whole, steps + 1)
        half = whole / steps / 2 if steps else 0.0
        knots = np.concatenate(([0.0], ends))
        joints = np.stack([np.interp(at, knots, row) for row in corners])
        # Of all pieces that are no further off than half a step, the most.
        room = half * (1 + 1e-9)
        first = np.searchsorted(ends, at - room, side="left")
        last = np.searchsorted(begins, at + room, side="right")
        padded = np.hstack((moved, np.zeros((len(moved), 1))))
        between = np.stack((first, last), axis=1).ravel()
        most = np.maximum.reduceat(padded, between, axis=1)[:, ::2]
        points = np.minimum(np.searchsorted(ends, at, side="left"), len(ends) - 1)
        return joints, most, points, half


def _controls(corners: Array, lasts: Array, *derived: Array) -> Array:
    """Control points of all pieces in Bernstein's form, shape (degree + 1, joints, pieces):
    straight, with velocities cubic, with accelerations quintic. `lasts`: s, of each piece."""
    q0, q1 = corners[:, :-1], corners[:, 1:]
    if not derived:
        return np.stack((q0, q1))
    v0, v1 = lasts * derived[0][:, :-1], lasts * derived[0][:, 1:]
    if len(derived) == 1:
        return np.stack((q0, q0 + v0 / 3, q1 - v1 / 3, q1))
    a0, a1 = lasts**2 * derived[1][:, :-1] / 20, lasts**2 * derived[1][:, 1:] / 20
    return np.stack((q0, q0 + v0 / 5, q0 + 0.4 * v0 + a0, q1 - 0.4 * v1 + a1, q1 - v1 / 5, q1))


def _speeds(controls: Array, lasts: Array) -> Array:
    """The most of each joint in each piece, shape (joints, pieces). Of the slope's control points
    the middle one never counts for more than its MIDDLE, the others for no more than the rest or
    all."""
    degree = len(controls) - 1
    slopes = np.abs(np.diff(controls, axis=0))
    middle = slopes[degree // 2].copy()
    slopes[degree // 2] = 0.0
    others = slopes.max(axis=0)
    part = MIDDLE[degree]
    most: Array = np.maximum(others, part * middle + (1 - part) * others)
    return most * (degree / np.where(lasts > 0, lasts, np.inf))


def _off_chord(controls: Array, lever: Array) -> Array:
    """How far each joint may be off the straight way, shape (joints, pieces): each control point
    from that point of the chord that is next to it, as the arm's levers measure it."""
    begin, chord = controls[0], controls[-1] - controls[0]
    off: Array = np.zeros_like(chord)
    weight = lever**2
    square = _summed(weight, chord**2)
    square[square == 0] = 1.0
    for control in controls[1:-1]:
        to = control - begin
        to -= np.clip(_summed(weight, to * chord) / square, 0.0, 1.0) * chord
        np.maximum(off, np.abs(to), out=off)
    return off


def _summed(weight: Array, rows: Array) -> Array:
    """Over the rows, shape (joints, n); not by a library that starts threads for it, as @ does."""
    total: Array = np.einsum("j,jn->n", weight, rows)
    return total
