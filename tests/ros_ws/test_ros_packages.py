"""The ROS packages say what they need, and install what they have."""

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import docutils.core
import docutils.nodes
import pytest
from catkin_pkg.package import Package, parse_package
from launch_stand_in import PACKAGE

ROOT = Path(__file__).parents[2]
MESSAGES = PACKAGE.parent / "redbutton_msgs"
PACKAGES = [PACKAGE, MESSAGES]
each_package = pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)

# What `pip install redbutton` brings.
FROM_PIP = {"pydantic", "redbutton"}
# Commands that no Python file imports: the package, and what shows that it is used.
COMMANDS = {
    "ros2bag": '"ros2", "bag", "record"',
    "ros2launch": "ros2 launch redbutton_ros",
    "rosbag2_storage_mcap": '"--storage", "mcap"',
}


def manifest(folder: Path) -> Package:
    warnings: list[str] = []
    package = parse_package(str(folder), warnings=warnings)
    assert warnings == []
    return package


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments that setup.py gives to setuptools."""
    given: dict[str, Any] = {}
    monkeypatch.chdir(PACKAGE)
    monkeypatch.setattr("setuptools.setup", given.update)
    exec(compile(Path("setup.py").read_text(), "setup.py", "exec"), {})
    return given


def used() -> set[str]:
    """ROS packages that the nodes and launch files import, name in message types, or call."""
    files = [*(PACKAGE / "redbutton_ros").glob("*.py"), *(PACKAGE / "launch").iterdir()]
    found: set[str] = set()
    for file in files:
        text = file.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
        found |= set(re.findall(r'"(\w+)/(?:msg|srv|action)/\w+"', text))
        found |= {package for package, sign in COMMANDS.items() if sign in text}
    return found - set(sys.stdlib_module_names) - FROM_PIP - {PACKAGE.name}


# --- what is needed -----------------------------------------------------------------------------


def test_every_ros_package_that_is_used_is_a_dependency() -> None:
    assert used() - {d.name for d in manifest(PACKAGE).exec_depends} == set()


def test_every_dependency_is_used() -> None:
    assert {d.name for d in manifest(PACKAGE).exec_depends} - used() == set()


def test_the_messages_need_what_they_are_made_of() -> None:
    files = [*(MESSAGES / "msg").iterdir(), *(MESSAGES / "srv").iterdir()]
    text = "\n".join(file.read_text() for file in files)
    named = set(re.findall(r"(?m)^(\w+)/\w+(?:\[\w*\])? ", text))
    package = manifest(MESSAGES)
    cmake = (MESSAGES / "CMakeLists.txt").read_text()
    assert {d.name for d in package.build_depends} == named
    assert {d.name for d in package.exec_depends} == named | {"rosidl_default_runtime"}
    dependencies = re.search(r"DEPENDENCIES (.*)", cmake)
    assert dependencies and set(dependencies[1].split()) == named


def test_every_message_and_service_is_built() -> None:
    listed = re.findall(r'"((?:msg|srv)/\w+\.\w+)"', (MESSAGES / "CMakeLists.txt").read_text())
    files = [*(MESSAGES / "msg").iterdir(), *(MESSAGES / "srv").iterdir()]
    assert sorted(listed) == sorted(str(file.relative_to(MESSAGES)) for file in files)


def test_messages_are_built_by_the_tools_that_the_manifest_names() -> None:
    package = manifest(MESSAGES)
    found = re.findall(r"find_package\((\w+)", (MESSAGES / "CMakeLists.txt").read_text())
    needed = [*package.buildtool_depends, *package.build_depends]
    assert {d.name for d in needed} == set(found)
    assert [group.name for group in package.member_of_groups] == ["rosidl_interface_packages"]


# --- what is installed --------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["launch", "config", "foxglove"])
def test_every_file_is_installed(setup: dict[str, Any], folder: str) -> None:
    installed = dict(setup["data_files"])[f"share/redbutton_ros/{folder}"]
    assert installed
    assert sorted(installed) == sorted(f"{folder}/{file.name}" for file in Path(folder).iterdir())


def test_the_package_is_found_by_ament(setup: dict[str, Any]) -> None:
    files = dict(setup["data_files"])
    assert files["share/redbutton_ros"] == ["package.xml"]
    index = files["share/ament_index/resource_index/packages"]
    assert index == ["resource/redbutton_ros"]
    assert Path(index[0]).is_file()


@pytest.mark.parametrize("name", ["gate", "zone", "demo_planner", "demo_robot"])
def test_an_executable_is_a_function_that_can_be_imported(
    setup: dict[str, Any], name: str
) -> None:
    scripts = dict(
        re.split(r"\s*=\s*", entry) for entry in setup["entry_points"]["console_scripts"]
    )
    module, _, function = scripts[name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_there_is_no_other_executable(setup: dict[str, Any]) -> None:
    names = [entry.split(" = ")[0] for entry in setup["entry_points"]["console_scripts"]]
    assert sorted(names) == ["demo_planner", "demo_robot", "gate", "zone"]


def test_executables_run_with_the_python_of_the_active_environment() -> None:
    """Where the Python package redbutton is."""
    assert "executable=/usr/bin/env python3" in (PACKAGE / "setup.cfg").read_text()


# --- what a release needs -----------------------------------------------------------------------


@each_package
def test_a_package_carries_the_license(folder: Path) -> None:
    """A file and no link: packages are released one by one."""
    assert not (folder / "LICENSE").is_symlink()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert manifest(folder).licenses == ["Apache-2.0"]


def test_all_versions_and_licenses_are_the_same(setup: dict[str, Any]) -> None:
    assert {manifest(folder).version for folder in PACKAGES} == {setup["version"]}
    assert setup["license"] == "Apache-2.0"


@each_package
def test_a_changelog_is_of_the_form_of_rep_132(folder: Path) -> None:
    text = (folder / "CHANGELOG.rst").read_text()
    tree = docutils.core.publish_doctree(
        text, settings_overrides={"report_level": 1, "halt_level": 1, "doctitle_xform": False}
    )
    (whole,) = tree.children
    title, *versions = whole.children
    assert title.astext() == f"Changelog for package {folder.name}"
    assert versions[0].children[0].astext() == "Forthcoming"
    for version in versions:
        assert [type(part) for part in version.children[1:]] == [docutils.nodes.bullet_list]


def test_the_image_is_built_from_what_is_there_and_reads_every_launch_file() -> None:
    text = (ROOT / "ros_ws/docker/Dockerfile").read_text()
    for sources in re.findall(r"(?m)^COPY (.*) \S+$", text):
        for source in sources.split():
            assert (ROOT / source).exists(), source
    files = re.search(r"for file in (.*); do", text)
    assert files and sorted(files[1].split()) == sorted(
        file.name.removesuffix(".launch.py") for file in (PACKAGE / "launch").iterdir()
    )


def test_the_readme_tells_a_lab_how_to_install_it() -> None:
    """rosdep has no key for the Python package, so it comes by pip, and before the build."""
    text = (ROOT / "ros_ws/README.md").read_text()
    steps = ("pip install", "rosdep install --from-paths src --ignore-src -y", "colcon build")
    places = [text.index(f"    {step}") for step in steps]
    assert places == sorted(places)
