"""The Foxglove layout shows what the gate really says."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import ros_interface as interface
from launch_stand_in import PACKAGE

LAYOUT = json.loads((PACKAGE / "foxglove/redbutton.json").read_text())
PANELS = LAYOUT["configById"]
TOPICS = {
    topic if topic.startswith("/") else f"/{topic}": kind
    for topic, kind in {
        **interface.TOLD_THE_ROBOT,
        **interface.ASKED_IN_ONE,
        **interface.PASSED,
        **interface.ODOMETRY,
        **interface.ALIVE,
    }.items()
}


def panels_in(layout: Any) -> list[str]:
    if isinstance(layout, str):
        return [layout]
    return [*panels_in(layout["first"]), *panels_in(layout["second"])]


def paths_in(config: Any) -> Iterator[str]:
    """Every message path and every topic in a panel's settings."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key in ("value", "path", "topicPath", "topicToRender"):
                yield value
            else:
                yield from paths_in(value)
    elif isinstance(config, list):
        for value in config:
            yield from paths_in(value)


PATHS = sorted({path for config in PANELS.values() for path in paths_in(config)})


def test_the_layout_has_the_parts_that_foxglove_reads() -> None:
    assert set(LAYOUT) == {
        "configById",
        "globalVariables",
        "userNodes",
        "playbackConfig",
        "layout",
    }


def test_every_panel_is_shown_once_and_every_shown_one_is_set_up() -> None:
    assert sorted(panels_in(LAYOUT["layout"])) == sorted(PANELS)


@pytest.mark.parametrize("path", PATHS)
def test_a_shown_topic_exists_and_has_that_field(path: str) -> None:
    topic, *fields = path.split(".")
    kind = TOPICS[topic]
    for field in fields:
        package, _, name = kind.split("/")
        message = getattr(import_module(f"{package}.msg"), name)
        kind = message.get_fields_and_field_types()[field]
        package, _, name = kind.rpartition("/")
        kind = f"{package}/msg/{name}" if package else kind


@pytest.mark.parametrize(
    "path",
    [
        "/estop/state.state",
        "/estop/state.causes",
        "/estop/state.first_cause",
        "/estop/state.load_proven_on",
        "/cmd_vel_request.linear.x",
        "/cmd_vel.linear.x",
        "/diagnostics",
    ],
)
def test_state_causes_load_commands_and_diagnostics_are_shown(path: str) -> None:
    assert path in PATHS


def test_every_state_is_shown_by_the_name_that_the_message_gives_it() -> None:
    from redbutton_msgs.msg import SafetyState

    rules = PANELS["Indicator!state"]["rules"]
    names = {"UNKNOWN", "STOPPED", "RUN", "STOPPING", "LOCKOUT", "TESTING"}
    assert {rule["label"] for rule in rules} == names
    for rule in rules:
        assert rule["operator"] == "="
        assert int(rule["rawValue"]) == getattr(SafetyState, rule["label"])


def test_only_a_measured_dead_load_is_shown_as_off() -> None:
    panel = PANELS["Indicator!load"]
    assert panel["path"] == "/estop/state.load_proven_off"
    assert [rule["rawValue"] for rule in panel["rules"]] == ["true"]
    assert panel["fallbackLabel"] == "not proven off"
