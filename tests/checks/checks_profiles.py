"""A robot's profile, to be changed by each test."""

from typing import Any

import yaml

from redbutton.checks.profile import RobotProfile

BASE: dict[str, Any] = {
    "name": "robot",
    "frame": "map",
    "base_frames": ["base_link"],
    "limits": {
        "linear_speed": 1.0,
        "angular_speed": 1.0,
        "linear_acceleration": 2.0,
        "angular_acceleration": 2.0,
        "command_rate": 50,
    },
    "footprint_radius": 0.3,
    "deceleration": 0.5,
    "speed_and_separation": {
        "reaction_time": 0.1,
        "intrusion_distance": 0.2,
        "person_uncertainty": 0.05,
        "robot_uncertainty": 0.03,
    },
}

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]


def changed(**changes: Any) -> dict[str, Any]:
    """The base's profile with these fields in place of its own; limits are added to its own."""
    limits = {**BASE["limits"], **changes.pop("limits", {})}
    return {**BASE, "limits": limits, **changes}


def profile_of(**changes: Any) -> RobotProfile:
    """The same, validated."""
    return RobotProfile.model_validate(changed(**changes))


class Plain(yaml.SafeDumper):
    """Writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(data: dict[str, Any], flow: bool = False) -> str:
    """As YAML, in the order that it has."""
    return yaml.dump(data, Dumper=Plain, sort_keys=False, default_flow_style=flow)
