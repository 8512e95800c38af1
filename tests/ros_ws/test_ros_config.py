"""The parameter files hold what the gate knows, and the gate takes them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import launch_stand_in
import pytest
import ros_interface as interface
import yaml
from launch_stand_in import PACKAGE

FILES = sorted((PACKAGE / "config").iterdir())
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
SETTINGS_WRONG = 14


def parameters(file: Path) -> dict[str, Any]:
    ((section, given),) = launch_stand_in.sections(yaml.safe_load(file.read_text()))
    assert section == "/**/gate"
    return given


def known(given: dict[str, Any]) -> dict[str, Any]:
    """Every parameter that there is when these lists are given, with its default."""
    names = dict(interface.PARAMETERS)
    for listed, (word, fields) in interface.LISTED.items():
        for entry in given.get(listed, interface.PARAMETERS[listed]):
            if entry:
                names.update({f"{word}.{entry}.{field}": value for field, value in fields.items()})
    return names


def types(given: dict[str, Any]) -> Iterator[str]:
    yield from (value for name, value in given.items() if name.endswith(".type"))


def test_there_is_a_file_for_a_base_nav2_an_arm_and_the_demonstration() -> None:
    assert [file.name for file in FILES] == ["arm.yaml", "base.yaml", "demo.yaml", "nav2.yaml"]


@each_file
def test_a_file_is_for_the_gate_in_any_namespace(file: Path) -> None:
    assert list(yaml.safe_load(file.read_text())) == ["/**/gate"]


@each_file
def test_every_parameter_is_one_that_the_gate_has(file: Path) -> None:
    given = parameters(file)
    assert set(given) <= set(known(given))


@each_file
def test_every_parameter_is_of_its_type(file: Path) -> None:
    """ROS does not take 0 for 0.0."""
    given = parameters(file)
    defaults = known(given)
    wrong = [name for name, value in given.items() if type(value) is not type(defaults[name])]
    assert wrong == []


@each_file
def test_every_input_names_an_output_of_the_same_file(file: Path) -> None:
    given = parameters(file)
    outputs = {given[f"input.{name}.output"] for name in given["inputs"]}
    assert outputs == set(given["outputs"])


@each_file
def test_every_message_type_comes_with_the_package_or_is_said_to_be_needed(file: Path) -> None:
    dependencies = (PACKAGE / "package.xml").read_text()
    for package in {kind.split("/")[0] for kind in types(parameters(file))}:
        comes = f"<exec_depend>{package}<" in dependencies
        assert comes or f"Needs {package}." in file.read_text()


@pytest.mark.parametrize(
    "name",
    [
        *interface.PARAMETERS,
        *(
            f"{word}.{{}}.{field}"
            for word, fields in interface.LISTED.values()
            for field in fields
        ),
    ],
)
def test_every_parameter_of_the_gate_is_shown_in_one_of_the_files(name: str) -> None:
    """Those that are left to their default in a comment."""
    before, _, after = name.partition("{}")
    words = " ".join(file.read_text() for file in FILES).replace("#", " ").split()
    assert any(
        word.startswith(before) and word.rstrip(",").endswith(f"{after}:") for word in words
    )


@each_file
def test_limits_are_set_wherever_they_mean_something(file: Path) -> None:
    given = parameters(file)
    for name in given["inputs"]:
        if "Twist" in given[f"input.{name}.type"]:
            assert given[f"input.{name}.max_linear"] > 0
            assert given[f"input.{name}.max_angular"] > 0


def test_nav2s_velocities_are_not_taken_from_inside_its_chain() -> None:
    """cmd_vel_nav lies before Nav2's smoother and its collision monitor."""
    given = parameters(PACKAGE / "config/nav2.yaml")
    topics = [given[f"input.{name}.topic"] for name in given["inputs"]]
    assert not set(topics) & {"cmd_vel_nav", "cmd_vel_smoothed"}


def test_nav2_is_told_to_publish_where_the_gate_listens() -> None:
    file = PACKAGE / "config/nav2.yaml"
    topic = parameters(file)["input.nav2.topic"]
    assert f"cmd_vel_out_topic: {topic}}}" in file.read_text()
    assert f"cmd_vel_smoothed to {topic} " in file.read_text()


def test_with_nav2_the_planner_cannot_drive_by_itself() -> None:
    given = parameters(PACKAGE / "config/nav2.yaml")
    assert {given[f"input.{name}.side"] for name in given["inputs"]} == {"robot"}


def test_with_nav2_a_person_has_priority() -> None:
    given = parameters(PACKAGE / "config/nav2.yaml")
    assert given["input.teleop.priority"] > given["input.nav2.priority"]


def start_gate(tmp_path: Path, file: Path) -> subprocess.CompletedProcess[str]:
    """The real gate with this file, and a port that is not there."""
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    return subprocess.run(
        [
            *(sys.executable, "-m", "redbutton_ros.gate", "--ros-args"),
            *("--params-file", str(file), "-p", "port:=/no/such/port"),
            *("-p", f"key_file:={key}"),
        ],
        env={
            **os.environ,
            "ROS_DOMAIN_ID": "87",
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@each_file
def test_the_gate_takes_the_file(file: Path, tmp_path: Path) -> None:
    """It gets as far as looking for its port."""
    done = start_gate(tmp_path, file)
    assert done.returncode not in (0, SETTINGS_WRONG), done.stderr
    assert "/no/such/port" in done.stderr


def test_the_gate_would_not_take_a_misspelt_limit(tmp_path: Path) -> None:
    file = tmp_path / "misspelt.yaml"
    text = (PACKAGE / "config/base.yaml").read_text()
    assert "max_linear" in text
    file.write_text(text.replace("max_linear", "max_liner"))
    done = start_gate(tmp_path, file)
    assert done.returncode == SETTINGS_WRONG
    assert "input.planner.max_liner" in done.stderr
