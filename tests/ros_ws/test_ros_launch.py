"""What the launch files start. `launch` itself is a stand-in, see launch_stand_in.py."""

import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import launch_stand_in
import pytest
import ros_interface as interface
import yaml
from launch_stand_in import PACKAGE, Launch, LaunchContext, Process

FILES = sorted(path.name.split(".")[0] for path in (PACKAGE / "launch").iterdir())
GATE_ENDED = ["the gate has ended: the robot is stopped"]


def gates(run: LaunchContext) -> list[Process]:
    return [p for p in run.processes if (p.package, p.executable) == ("redbutton_ros", "gate")]


def only_gate(run: LaunchContext) -> Process:
    (gate,) = gates(run)
    return gate


def boards(run: LaunchContext) -> list[Process]:
    return [p for p in run.processes if "redbutton virtual-board" in " ".join(p.command)]


def base_yaml() -> dict[str, object]:
    return parameters_of(PACKAGE / "config/base.yaml")


def parameters_of(file: Path) -> dict[str, object]:
    ((_, parameters),) = launch_stand_in.sections(yaml.safe_load(file.read_text()))
    return parameters


# --- every launch file --------------------------------------------------------------------------


def test_there_is_a_launch_file_for_a_robot_a_fleet_a_recording_and_the_demonstration() -> None:
    assert FILES == ["demo", "fleet", "gate", "record"]


@pytest.mark.parametrize("file", FILES)
def test_every_argument_is_described(file: str) -> None:
    with launch_stand_in.in_place():
        description = launch_stand_in.load(PACKAGE / "launch" / f"{file}.launch.py")
    arguments = [
        entity
        for entity in description.entities
        if isinstance(entity, launch_stand_in.DeclareLaunchArgument)
    ]
    assert arguments
    for argument in arguments:
        assert re.fullmatch(r"[A-Z].*\.", argument.description or ""), argument.name


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("gate", {}),
        ("gate", {"virtual": "true"}),
        ("fleet", {"robots": "robot_1 robot_2"}),
        ("demo", {}),
    ],
)
def test_every_node_that_is_started_is_an_executable_of_the_package(
    launch: Launch, file: str, arguments: dict[str, str]
) -> None:
    setup = (PACKAGE / "setup.py").read_text()
    started = [process for process in launch(file, **arguments).processes if process.package]
    assert started
    for process in started:
        assert process.package == "redbutton_ros"
        assert f'"{process.executable} = redbutton_ros.' in setup


@pytest.mark.parametrize(
    ("file", "arguments"),
    [("gate", {"virtual": "true"}), ("fleet", {"robots": "a b", "virtual": "true"}), ("demo", {})],
)
def test_nothing_that_has_ended_is_started_again_by_itself(
    launch: Launch, file: str, arguments: dict[str, str]
) -> None:
    assert not any(process.respawn for process in launch(file, **arguments).processes)


@pytest.mark.parametrize(
    ("file", "arguments"),
    [("gate", {"virtual": "true"}), ("fleet", {"robots": "a b", "virtual": "true"}), ("demo", {})],
)
def test_whatever_ends_is_seen_because_everything_ends_with_it(
    launch: Launch, file: str, arguments: dict[str, str]
) -> None:
    for index in range(len(launch(file, **arguments).processes)):
        run = launch(file, **arguments)
        launch_stand_in.end(run, run.processes[index])
        assert len(run.shut_down) == 1, run.processes[index].name


# --- gate ---------------------------------------------------------------------------------------


def test_the_gate_alone_is_started_with_the_parameters_of_base_yaml(launch: Launch) -> None:
    run = launch("gate")
    gate = only_gate(run)
    assert run.processes == [gate]
    assert gate.parameters == base_yaml()
    assert gate.namespace == "/"
    assert gate.environment == {}
    assert gate.output == "screen"


@pytest.mark.parametrize(
    ("argument", "value", "parameter"),
    [
        ("port", "/dev/redbutton-arm", "/dev/redbutton-arm"),
        ("key_file", "/etc/redbutton/arm", "/etc/redbutton/arm"),
        ("planner_domain", "7", 7),
    ],
)
def test_an_argument_wins_over_the_file(
    launch: Launch, argument: str, value: str, parameter: object
) -> None:
    gate = only_gate(launch("gate", **{argument: value}))
    assert gate.parameters == {**base_yaml(), argument: parameter}


def test_an_argument_wins_over_the_files_section_for_this_very_robot(
    launch: Launch, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("/robot_1/gate: {ros__parameters: {port: /dev/one}}")
    arguments = {"params_file": str(file), "namespace": "robot_1"}
    assert only_gate(launch("gate", **arguments)).parameters == {"port": "/dev/one"}
    gate = only_gate(launch("gate", **arguments, port="/dev/two"))
    assert gate.parameters == {"port": "/dev/two"}


def test_a_port_that_looks_like_a_number_stays_a_name(launch: Launch) -> None:
    assert only_gate(launch("gate", port="0")).parameters["port"] == "0"


def test_another_file_replaces_base_yaml(launch: Launch) -> None:
    file = PACKAGE / "config/arm.yaml"
    gate = only_gate(launch("gate", params_file=str(file)))
    assert gate.parameter_files == [str(file)]
    assert gate.parameters == parameters_of(file)


def test_without_its_file_the_gate_is_not_started(launch: Launch) -> None:
    """`launch_ros` would start it without the limits that are in the file."""
    with pytest.raises(RuntimeError, match=r"no/such\.yaml: there is no such file"):
        launch("gate", params_file="no/such.yaml")


def test_the_robots_domain_is_the_domain_of_the_process(launch: Launch) -> None:
    gate = only_gate(launch("gate", planner_domain="1", robot_domain="2"))
    assert gate.environment == {"ROS_DOMAIN_ID": "2"}
    assert gate.parameters["planner_domain"] == 1
    assert "robot_domain" not in gate.parameters


def test_a_robots_domain_alone_is_refused(launch: Launch) -> None:
    """The planner would silently share it."""
    with pytest.raises(RuntimeError, match="say planner_domain too"):
        launch("gate", robot_domain="2")


@pytest.mark.parametrize("value", ["-1", "233", "one", "1.0", "1 2"])
@pytest.mark.parametrize("argument", ["planner_domain", "robot_domain"])
def test_what_is_no_domain_is_refused(launch: Launch, argument: str, value: str) -> None:
    domains = {"planner_domain": "1", "robot_domain": "2", argument: value}
    with pytest.raises(RuntimeError, match=f"{argument}:={value}: a ROS domain"):
        launch("gate", **domains)


def test_the_namespace_is_the_gates(launch: Launch) -> None:
    assert only_gate(launch("gate", namespace="robot_1")).namespace == "/robot_1"


@pytest.mark.parametrize("namespace", ["../up", "robot-1", "a b", "1", "a//b", "~"])
def test_what_is_no_namespace_is_refused_before_anything_is_written(
    launch: Launch, ros_home: Path, namespace: str
) -> None:
    with pytest.raises(RuntimeError, match="no ROS namespace"):
        launch("gate", namespace=namespace, virtual="true")
    assert not ros_home.exists()


@pytest.mark.parametrize("level", ["debug", "warn"])
def test_the_log_level_is_handed_on(launch: Launch, level: str) -> None:
    command = only_gate(launch("gate", log_level=level)).command
    assert command == ["gate", "--ros-args", "--log-level", level]


def test_the_enclave_is_handed_on(launch: Launch) -> None:
    command = only_gate(launch("gate", enclave="/redbutton/gate")).command
    assert command[-2:] == ["--enclave", "/redbutton/gate"]


@pytest.mark.parametrize(("argument", "value"), [("virtual", "maybe"), ("log_level", "loud")])
def test_a_value_that_is_no_choice_is_refused(launch: Launch, argument: str, value: str) -> None:
    with pytest.raises(RuntimeError, match=f"'{argument}' provided value '{value}'"):
        launch("gate", **{argument: value})


def test_a_gate_that_ends_shuts_everything_down_and_says_why(launch: Launch) -> None:
    run = launch("gate")
    launch_stand_in.end(run, only_gate(run))
    assert run.shut_down == GATE_ENDED


# --- gate with a virtual board ------------------------------------------------------------------


def test_the_virtual_board_gives_its_port_and_key_to_the_gate(
    launch: Launch, ros_home: Path
) -> None:
    run = launch("gate", virtual="true", namespace="robot_1")
    folder = ros_home / "redbutton/robot_1"
    (board,) = boards(run)
    assert board.command[-3:] == [str(folder / name) for name in ("port", "key", "buttons")]
    gate = only_gate(run)
    assert gate.parameters["port"] == str(folder / "port")
    assert gate.parameters["key_file"] == str(folder / "key")


@pytest.mark.parametrize("argument", ["port", "key_file"])
def test_a_virtual_board_and_a_real_ones_port_or_key_exclude_each_other(
    launch: Launch, argument: str
) -> None:
    with pytest.raises(RuntimeError, match="brings its own"):
        launch("gate", **{"virtual": "true", argument: "/x"})


def test_whoever_launches_is_told_where_the_buttons_are(launch: Launch, ros_home: Path) -> None:
    run = launch("gate", virtual="true")
    assert run.said == [f"the virtual board's buttons: echo reset > {ros_home}/redbutton/buttons"]


def test_the_buttons_are_a_pipe_that_only_its_user_can_press(
    launch: Launch, ros_home: Path
) -> None:
    launch("gate", virtual="true", namespace="robot_1")
    folder = ros_home / "redbutton/robot_1"
    assert stat.filemode((folder / "buttons").stat().st_mode) == "prw-------"
    assert stat.filemode(folder.stat().st_mode) == "drwx------"


def test_the_virtual_board_can_be_launched_again(launch: Launch, ros_home: Path) -> None:
    launch("gate", virtual="true")
    (ros_home / "redbutton/port").symlink_to("/dev/pts/of-a-board-that-was-killed")
    launch("gate", virtual="true")
    assert not (ros_home / "redbutton/port").is_symlink()


def test_a_file_in_place_of_the_buttons_is_not_overwritten(launch: Launch, ros_home: Path) -> None:
    (ros_home / "redbutton").mkdir(parents=True)
    (ros_home / "redbutton/buttons").write_text("mine")
    with pytest.raises(RuntimeError, match="in the way"):
        launch("gate", virtual="true")


def test_the_gate_waits_for_the_virtual_boards_port(launch: Launch, ros_home: Path) -> None:
    """The command is carried out, with `echo` in place of the gate."""
    command = only_gate(launch("gate", virtual="true", namespace="robot_1")).command
    command[command.index("gate")] = "echo"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        try:
            time.sleep(0.3)
            assert waiting.poll() is None
            (ros_home / "redbutton/robot_1/port").touch()
            said, _ = waiting.communicate(timeout=20)
        finally:
            waiting.kill()
    assert said.split() == ["--ros-args", "--log-level", "info"]


@pytest.fixture
def running_board(launch: Launch, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The virtual board of the launch file, really running: its folder, and what it says."""
    (board,) = boards(launch("gate", virtual="true"))
    folder = Path(board.command[-1]).parent
    said = tmp_path / "said"
    with said.open("w") as output:
        process = subprocess.Popen(board.command, stdin=subprocess.PIPE, stdout=output)
    try:
        wait_until(lambda: "virtual board on" in said.read_text())
        yield folder, said
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def wait_until(true: Callable[[], bool], timeout: float = 30.0) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def test_the_board_of_the_launch_file_runs_and_is_pressed_through_its_pipe(
    running_board: tuple[Path, Path],
) -> None:
    folder, said = running_board
    assert (folder / "port").exists()
    assert (folder / "key").read_text()
    for word, seen in (("press", "contact a off"), ("key on", "key on")):  # it stays open
        (folder / "buttons").write_text(word + "\n")
        wait_until(lambda seen=seen: seen in said.read_text())


# --- composing ----------------------------------------------------------------------------------

INCLUDE = """
from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import PushRosNamespace
from launch_ros.substitutions import FindPackageShare


def gate(**arguments):
    share = FindPackageShare("redbutton_ros")
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource([PathJoinSubstitution([share, "launch", "gate.launch.py"])]),
        launch_arguments=arguments.items(),
    )


def generate_launch_description():
    return LaunchDescription([%s])
"""


def test_a_users_launch_file_can_include_it_twice(launch: Launch, tmp_path: Path) -> None:
    file = tmp_path / "two.launch.py"
    file.write_text(
        INCLUDE
        % 'gate(namespace="left", port="/dev/left"), gate(namespace="right", port="/dev/right")'
    )
    assert [(gate.namespace, gate.parameters["port"]) for gate in gates(launch(file))] == [
        ("/left", "/dev/left"),
        ("/right", "/dev/right"),
    ]


def test_it_follows_a_namespace_that_is_pushed_around_it(
    launch: Launch, tmp_path: Path, ros_home: Path
) -> None:
    file = tmp_path / "pushed.launch.py"
    file.write_text(
        INCLUDE
        % 'GroupAction([PushRosNamespace("hall"), gate(namespace="robot_1", virtual="true")])'
    )
    run = launch(file)
    gate = only_gate(run)
    assert gate.namespace == "/hall/robot_1"
    assert gate.parameters["port"] == str(ros_home / "redbutton/hall/robot_1/port")


# --- fleet --------------------------------------------------------------------------------------


def test_each_robot_of_a_fleet_has_a_gate_in_its_namespace(launch: Launch) -> None:
    run = launch("fleet", robots="robot_1 robot_2")
    assert [gate.namespace for gate in gates(run)] == ["/robot_1", "/robot_2"]


def test_a_fleet_has_one_zone_that_knows_all_robots(launch: Launch) -> None:
    run = launch("fleet", robots="robot_1 /robot_2")
    (zone,) = [process for process in run.processes if process.executable == "zone"]
    assert zone.parameters == {"members": ["/robot_1", "/robot_2"]}
    assert zone.namespace == "/"
    assert zone.environment == {}


def test_a_fleet_without_zone(launch: Launch) -> None:
    run = launch("fleet", robots="robot_1 robot_2", zone="false")
    assert run.processes == gates(run)


def test_each_robot_of_a_fleet_has_its_own_section_of_the_file(
    launch: Launch, tmp_path: Path
) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(
        """
        /**/gate: {ros__parameters: {rest: 0.7}}
        /robot_1/gate: {ros__parameters: {port: /dev/redbutton-one}}
        /robot_2/gate: {ros__parameters: {port: /dev/redbutton-two}}
        """
    )
    run = launch("fleet", robots="robot_1 robot_2", params_file=str(file))
    assert [gate.parameters for gate in gates(run)] == [
        {"rest": 0.7, "port": "/dev/redbutton-one"},
        {"rest": 0.7, "port": "/dev/redbutton-two"},
    ]


def test_each_robot_of_a_virtual_fleet_has_a_board_of_its_own(
    launch: Launch, ros_home: Path
) -> None:
    run = launch("fleet", robots="robot_1 robot_2", virtual="true")
    ports = [str(ros_home / f"redbutton/{name}/port") for name in ("robot_1", "robot_2")]
    assert [board.command[-3] for board in boards(run)] == ports
    assert [gate.parameters["port"] for gate in gates(run)] == ports


def test_a_fleets_domains_and_log_level_are_everybodys(launch: Launch) -> None:
    run = launch(
        "fleet", robots="robot_1 robot_2", planner_domain="1", robot_domain="2", log_level="warn"
    )
    assert len(run.processes) == 3
    for process in run.processes:
        assert process.environment == {"ROS_DOMAIN_ID": "2"}
        assert process.command[1:] == ["--ros-args", "--log-level", "warn"]
    assert [gate.parameters["planner_domain"] for gate in gates(run)] == [1, 1]


def test_what_a_fleet_sets_for_one_robot_does_not_stay_set(launch: Launch) -> None:
    left = launch("fleet", robots="robot_1", virtual="true").launch_configurations
    assert "namespace" not in left
    assert "port" not in left


@pytest.mark.parametrize("robots", ["", " ", "robot_1 robot_1", "robot_1 /robot_1"])
def test_a_fleet_needs_robots_each_named_once(launch: Launch, robots: str) -> None:
    with pytest.raises(RuntimeError, match="name each robot once"):
        launch("fleet", robots=robots)


def test_a_fleet_does_not_guess_its_robots(launch: Launch) -> None:
    with pytest.raises(RuntimeError, match="'robots' was not provided"):
        launch("fleet")


# --- record -------------------------------------------------------------------------------------


def option(recorder: Process, name: str) -> str:
    return recorder.command[recorder.command.index(name) + 1]


def recorded(recorder: Process, topics: set[str]) -> set[str]:
    """Those of `topics` that the recorder takes; the C++ of rosbag2 searches the expression."""
    return {topic for topic in topics if re.search(option(recorder, "--regex"), topic)}


def absolute(topics: dict[str, str], namespace: str = "") -> set[str]:
    return {topic if topic.startswith("/") else f"{namespace}/{topic}" for topic in topics}


PLANNERS = absolute(
    {
        **interface.STATES,
        **interface.ALIVE,
        **interface.ASKED_IN_ONE,
        **interface.ASKED_IN_TWO,
    }
)
ROBOTS = absolute({**interface.TOLD_THE_ROBOT, **interface.PASSED})
OTHERS = {"/odom", "/x/cmd_vel", "/cmd_vel_nav", "/estop/state/x", "/estopXstate", "/tf"}


def test_one_domain_is_one_recording_of_all_that_is_asked_passed_and_told(launch: Launch) -> None:
    (recorder,) = launch("record", output="run_7").processes
    assert recorded(recorder, PLANNERS | ROBOTS | OTHERS) == PLANNERS | ROBOTS
    assert option(recorder, "--output") == "run_7"


def test_two_domains_are_a_recording_each(launch: Launch) -> None:
    run = launch("record", planner_domain="1", robot_domain="2", output="run_7")
    planner, robot = run.processes
    assert planner.environment == {"ROS_DOMAIN_ID": "1"}
    assert option(planner, "--output") == "run_7_planner"
    assert recorded(planner, PLANNERS | ROBOTS | OTHERS) == PLANNERS
    assert robot.environment == {"ROS_DOMAIN_ID": "2"}
    assert option(robot, "--output") == "run_7_robot"
    assert recorded(robot, PLANNERS | ROBOTS | OTHERS) == ROBOTS


@pytest.mark.parametrize(
    ("said", "domains"), [("planner_domain", ["1", "5"]), ("robot_domain", ["5", "1"])]
)
def test_a_domain_that_is_not_said_is_the_environments(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, said: str, domains: list[str]
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "5")
    recorders = launch("record", **{said: "1"}).processes
    assert [recorder.environment["ROS_DOMAIN_ID"] for recorder in recorders] == domains


def test_a_fleet_is_recorded_by_namespaces(launch: Launch) -> None:
    (recorder,) = launch("record", robots="robot_1 /robot_2").processes
    wanted = {"/robot_1/cmd_vel", "/robot_2/estop/state", "/diagnostics"}
    assert recorded(recorder, wanted | {"/cmd_vel", "/robot_3/cmd_vel"}) == wanted


@pytest.mark.parametrize(("argument", "index"), [("planner_topics", 0), ("robot_topics", 1)])
def test_more_topics_can_be_recorded(launch: Launch, argument: str, index: int) -> None:
    run = launch("record", planner_domain="1", robots="robot_1", **{argument: "odom /tf"})
    wanted = {"/robot_1/odom", "/tf"}
    assert recorded(run.processes[index], wanted | {"/odom"}) == wanted
    assert recorded(run.processes[1 - index], wanted) == set()


@pytest.mark.parametrize("argument", ["robots", "planner_topics", "robot_topics"])
@pytest.mark.parametrize("name", [".*", "a|b", "1", "a//b"])
def test_what_is_no_name_is_not_recorded(launch: Launch, argument: str, name: str) -> None:
    with pytest.raises(RuntimeError, match="no ROS name"):
        launch("record", **{argument: name})


@pytest.mark.parametrize("argument", ["planner_domain", "robot_domain"])
def test_what_is_no_domain_is_not_recorded(launch: Launch, argument: str) -> None:
    with pytest.raises(RuntimeError, match=f"{argument}:=-1: a ROS domain"):
        launch("record", **{argument: "-1"})


def test_recordings_are_mcap_with_options_that_all_distributions_have(launch: Launch) -> None:
    for recorder in launch("record", planner_domain="1").processes:
        assert recorder.command[:3] == ["ros2", "bag", "record"]
        assert option(recorder, "--storage") == "mcap"
        assert recorder.command[3::2] == ["--storage", "--output", "--regex"]


def test_recordings_without_a_name_are_named_by_the_time(launch: Launch) -> None:
    (recorder,) = launch("record").processes
    assert re.fullmatch(r"redbutton_[\d_]{10}-[\d_]{8}", option(recorder, "--output"))


# --- demo ---------------------------------------------------------------------------------------


def test_the_demonstration_is_a_virtual_board_and_a_gate_between_two_domains(
    launch: Launch, ros_home: Path
) -> None:
    run = launch("demo")
    assert len(boards(run)) == 1
    gate = only_gate(run)
    assert gate.parameter_files == [str(PACKAGE / "config/demo.yaml")]
    assert gate.parameters["port"] == str(ros_home / "redbutton/demo/port")
    assert gate.environment == {"ROS_DOMAIN_ID": "42"}
    assert gate.parameters["planner_domain"] == 41


def test_the_demonstration_can_move_to_other_domains_and_another_namespace(
    launch: Launch,
) -> None:
    gate = only_gate(launch("demo", planner_domain="5", robot_domain="6", namespace="mine"))
    assert gate.environment == {"ROS_DOMAIN_ID": "6"}
    assert gate.parameters["planner_domain"] == 5
    assert gate.namespace == "/mine"


def test_the_demonstrations_planner_asks_where_the_gate_listens() -> None:
    asked = parameters_of(PACKAGE / "config/demo.yaml")["input.planner.topic"]
    source = (PACKAGE / "redbutton_ros/demo_planner.py").read_text()
    assert f'create_publisher(Twist, "{asked}"' in source


def test_the_stand_in_leaves_no_trace_behind() -> None:
    before = dict(sys.modules)
    with launch_stand_in.in_place():
        assert sys.modules["launch"] is not before.get("launch")
    assert sys.modules == before
