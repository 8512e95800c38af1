"""Forward kinematics of an arm, for many configurations at once. Pure.

Standard Denavit-Hartenberg convention: B. Siciliano et al., Robotics: Modelling, Planning and
Control, Springer 2009, 2.8.2 and 2.9. From frame to frame Rot_z(theta) Trans_z(d) Trans_x(a)
Rot_x(alpha). Lengths in m, angles in rad. Joints are in the order of the links that have one.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from redbutton.checks.profile import Joint, Link

Array = NDArray[np.float64]


def rotation(roll: float, pitch: float, yaw: float) -> Array:
    """Rot_z(yaw) Rot_y(pitch) Rot_x(roll), shape (3, 3)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos((roll, pitch, yaw)), np.sin((roll, pitch, yaw))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def forward(
    links: Sequence[Link], joints: Array, turned: Array, origin: Array
) -> tuple[Array, Array]:
    """Where the links end in N configurations, `joints` of shape (N, joints), of an arm whose
    first frame is at `origin`, shape (3,), and `turned`, shape (3, 3).

    Origins of all frames, shape (N, links + 1, 3), m: link i goes from the i-th to the next. And
    the unit vectors that the links' joints turn about or move along, shape (N, links, 3).
    """
    columns = iter(joints.T)
    at, x, y, z = (np.repeat(v[:, None], len(joints), axis=1) for v in (origin, *turned.T))
    origins, axes = [at], []
    for link in links:
        axes.append(z)
        theta, d = np.full(1, link.theta), np.full(1, link.d)
        if link.joint is not None:
            if link.prismatic:
                d = d + next(columns)
            else:
                theta = theta + next(columns)
        x, y = np.cos(theta) * x + np.sin(theta) * y, np.cos(theta) * y - np.sin(theta) * x
        at = at + d * z + link.a * x
        cosine, sine = math.cos(link.alpha), math.sin(link.alpha)
        y, z = cosine * y + sine * z, cosine * z - sine * y
        origins.append(at)
    return np.stack(origins).transpose(2, 0, 1), np.stack(axes).transpose(2, 0, 1)


def lengths(links: Sequence[Link], limits: Mapping[str, Joint]) -> list[float]:
    """How far each frame's origin is from the one before, at most, m."""
    found = []
    for link in links:
        d = abs(link.d)
        if link.joint is not None and link.prismatic:
            room = limits[link.joint].position
            d = max(abs(link.d + room.min), abs(link.d + room.max))
        found.append(math.hypot(link.a, d))
    return found


def levers(links: Sequence[Link], limits: Mapping[str, Joint]) -> Array:
    """How far each frame's origin moves at most with each joint, whatever the others are: m for
    each rad or m of it, shape (joints, links + 1). The length of all links between them, and of
    the joint's own link no more than `a`, because `d` is on the axis."""
    length = lengths(links, limits)
    rows = []
    for i, link in enumerate(links):
        if link.joint is not None and link.prismatic:
            rows.append([0.0] * (i + 1) + [1.0] * (len(links) - i))
        elif link.joint is not None:
            rows.append([0.0] * (i + 1) + list(accumulate(length[i + 1 :], initial=abs(link.a))))
    return np.array(rows)


def displacements(links: Sequence[Link], origins: Array, axes: Array, moved: Array) -> Array:
    """How far each frame's origin goes at most, shape (N, links + 1), m, if each joint moves by up
    to `moved`, shape (N, joints), rad or m, from where `forward` put it.

    The sum over joints of their distance from its axis times the angle. No estimate: let the
    joints move one by one, from the base to the tool. The ones before have carried the rest of the
    arm along as a whole, so that each still is as far from its axis as before, and the arc that
    it goes is no shorter than its chord.
    """
    total = np.zeros(origins.shape[:2])
    columns = iter(moved.T)
    for i, link in enumerate(links):
        if link.joint is None:
            continue
        by = next(columns)
        if link.prismatic:
            total[:, i + 1 :] += by[:, None]
        elif by.any():
            off = origins[:, i + 1 :] - origins[:, i, None]
            along = np.einsum("nkc,nc->nk", off, axes[:, i])
            square = np.einsum("nkc,nkc->nk", off, off) - along * along
            total[:, i + 1 :] += by[:, None] * np.sqrt(np.maximum(square, 0.0))
    return total
