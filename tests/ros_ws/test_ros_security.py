"""SROS2 policies name exactly what the interface has; the script makes a keystore out of them."""

import stat
import subprocess
from pathlib import Path

import pytest
import ros_interface as interface
from ros_policies import Names, policy_names

SECURITY = Path(__file__).parents[2] / "ros_ws/security"
POLICIES = SECURITY / "policies"
SCRIPT = SECURITY / "make_keystore.sh"


def absolute(names: dict[str, str]) -> set[str]:
    return {name if name.startswith("/") else f"/{name}" for name in names}


def own(node: str) -> Names:
    """What a node of this name cannot do without."""
    return {
        "publish": set(interface.NODE_TOPICS),
        "reply": {f"/{node}/{name}" for name in interface.NODE_SERVICES},
    }


def together(*parts: Names) -> Names:
    whole: Names = {}
    for part in parts:
        for access, names in part.items():
            whole[access] = whole.get(access, set()) | names
    return whole


EVENTS = {"subscribe": {"/parameter_events"}}
STOPS = absolute(interface.STOPS)


def planner(asked: dict[str, str]) -> Names:
    return together(
        own("planner"),
        EVENTS,
        {
            "publish": absolute({**asked, **interface.ALIVE}),
            "subscribe": absolute(interface.STATES),
            "request": STOPS | absolute(interface.PLAN),
        },
    )


GATE_AT_PLANNER: Names = {
    "publish": absolute(interface.STATES) | {"/parameter_events"},
    "subscribe": absolute({**interface.ASKED_IN_TWO, **interface.ALIVE}),
    "reply": STOPS | absolute(interface.PLAN),
}
GATE_AT_ROBOT = together(
    own("gate"),
    {
        "publish": absolute({**interface.TOLD_THE_ROBOT, **interface.PASSED}),
        "subscribe": absolute(interface.ODOMETRY),
        "reply": STOPS,
    },
)
GATE_OF_BOTH = together(
    GATE_AT_ROBOT,
    {
        "subscribe": absolute({**interface.ASKED_IN_ONE, **interface.ALIVE}),
        "reply": absolute(interface.PLAN),
    },
)
ROBOT = together(
    own("base"),
    EVENTS,
    {
        "publish": absolute(interface.ODOMETRY),
        "subscribe": absolute({**interface.PASSED, **interface.STATES, "estop/lock": ""}),
        "request": STOPS,
    },
)
ZONE = together(
    own("zone"), EVENTS, {"request": {"/estop/request_stop"}, "reply": absolute(interface.ZONE)}
)
EXPECTED = {
    "planner_domain.xml": {
        "/redbutton/planner": planner(interface.ASKED_IN_TWO),
        "/redbutton/gate/planner_side": GATE_AT_PLANNER,
    },
    "robot_domain.xml": {
        "/redbutton/gate": GATE_AT_ROBOT,
        "/redbutton/robot": ROBOT,
        "/redbutton/zone": ZONE,
    },
    "one_domain.xml": {
        "/redbutton/planner": planner(interface.ASKED_IN_ONE),
        "/redbutton/gate": GATE_OF_BOTH,
        "/redbutton/robot": ROBOT,
        "/redbutton/zone": ZONE,
    },
}


# --- policies -----------------------------------------------------------------------------------


def test_there_is_a_policy_for_each_domain_and_for_a_shared_one() -> None:
    assert sorted(path.name for path in POLICIES.iterdir()) == sorted(EXPECTED)


@pytest.mark.parametrize(
    ("file", "enclave"), [(file, enclave) for file in EXPECTED for enclave in EXPECTED[file]]
)
def test_an_enclave_may_exactly_what_its_node_has_to_do(file: str, enclave: str) -> None:
    assert policy_names(POLICIES / file)[enclave] == EXPECTED[file][enclave]


@pytest.mark.parametrize("file", EXPECTED)
def test_a_policy_has_no_other_enclave(file: str) -> None:
    assert set(policy_names(POLICIES / file)) == set(EXPECTED[file])


@pytest.mark.parametrize("file", ["planner_domain.xml", "one_domain.xml"])
def test_the_planner_may_not_speak_for_the_gate(file: str) -> None:
    enclaves = policy_names(POLICIES / file)
    planner = enclaves.pop("/redbutton/planner")
    others = set().union(*(names["publish"] for names in enclaves.values()))
    assert planner["publish"] & others <= interface.NODE_TOPICS


def test_in_one_domain_the_planner_may_not_publish_what_the_robot_listens_to() -> None:
    enclaves = policy_names(POLICIES / "one_domain.xml")
    heard = enclaves["/redbutton/robot"]["subscribe"]
    assert enclaves["/redbutton/planner"]["publish"] & heard == {"/parameter_events"}


@pytest.mark.parametrize("file", ["planner_domain.xml", "one_domain.xml"])
def test_the_planner_may_not_call_the_gates_parameter_services(file: str) -> None:
    requests = policy_names(POLICIES / file)["/redbutton/planner"]["request"]
    assert not [name for name in requests if name.startswith("/gate/")]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('version="0.2.0"', 'version="0.1.0"'),
        ('publish="ALLOW"', 'publish="DENY"'),
        ('publish="ALLOW"', 'reply="ALLOW"'),
        ("<topic>odom</topic>", "<service>odom</service>"),
    ],
)
def test_what_sros2_would_take_for_something_else_is_an_error(
    tmp_path: Path, right: str, wrong: str
) -> None:
    text = (POLICIES / "robot_domain.xml").read_text()
    assert right in text
    changed = tmp_path / "changed.xml"
    changed.write_text(text.replace(right, wrong, 1))
    with pytest.raises(ValueError, match=r"changed\.xml"):
        policy_names(changed)


# --- keystore -----------------------------------------------------------------------------------

# Does as `ros2 security` does, as far as files go, and writes down what it was asked.
FAKE_ROS2 = """#!/bin/sh
set -eu
[ "$1" = security ] || exit 2
[ "$2" = --help ] && exit 0
(IFS="|"; echo "${ROS_DOMAIN_ID:-}|$*") >> "$ASKED"
case $2 in
    create_keystore) mkdir -p "$3/enclaves" "$3/private" "$3/public"
        echo "authority $ROS_DOMAIN_ID" > "$3/public/ca.cert.pem"
        echo "secret" > "$3/private/ca.key.pem" ;;
    create_enclave) [ -d "$3/private" ]; mkdir -p "$3/enclaves$4"
        echo "key of $4" > "$3/enclaves$4/key.pem"
        ln -s "$3/public/ca.cert.pem" "$3/enclaves$4/identity_ca.cert.pem" ;;
    create_permission) cat "$5" > "$3/enclaves$4/permissions.xml" ;;
    *) exit 2 ;;
esac
"""


@pytest.fixture
def with_ros2(tmp_path: Path, without_tools: dict[str, str]) -> dict[str, str]:
    ros2 = Path(without_tools["PATH"]) / "ros2"
    ros2.write_text(FAKE_ROS2)
    ros2.chmod(0o755)
    return {**without_tools, "ASKED": str(tmp_path / "asked"), "ROS_DOMAIN_ID": "9"}


def make(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def complaint(environment: dict[str, str], *arguments: str) -> str:
    """The one line with which the script refuses."""
    done = make(environment, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_the_script_is_well_formed_and_can_be_called() -> None:
    assert subprocess.run(["sh", "-n", SCRIPT], check=False).returncode == 0
    assert SCRIPT.stat().st_mode & stat.S_IXUSR


def test_without_ros2_security_the_script_says_what_to_install(
    tmp_path: Path, without_tools: dict[str, str]
) -> None:
    line = complaint({**without_tools, "ROS_DISTRO": "jazzy"}, str(tmp_path / "keys"))
    assert "apt-get install ros-jazzy-sros2" in line
    assert not (tmp_path / "keys").exists()


def test_a_keystore_is_not_overwritten(tmp_path: Path, with_ros2: dict[str, str]) -> None:
    assert "is there already" in complaint(with_ros2, str(tmp_path))


@pytest.mark.parametrize("arguments", [(), ("keys", "1"), ("keys", "1", "2", "3")])
def test_one_domain_or_two_are_said_and_nothing_else(
    with_ros2: dict[str, str], arguments: tuple[str, ...]
) -> None:
    assert "usage: make_keystore.sh" in complaint(with_ros2, *arguments)


def test_two_domains_are_two(with_ros2: dict[str, str]) -> None:
    assert "the same" in complaint(with_ros2, "keys", "1", "1")


def asked(environment: dict[str, str], verb: str) -> list[tuple[str, ...]]:
    """(domain, last word of the keystore, other words) of each call of this verb."""
    calls = [line.split("|") for line in Path(environment["ASKED"]).read_text().splitlines()]
    return [
        (domain, Path(keystore).name, *(Path(word).name if ".xml" in word else word for word in w))
        for domain, _, called, keystore, *w in calls
        if called == verb
    ]


def test_one_domain_is_one_keystore_with_every_enclave_of_its_policy(
    tmp_path: Path, with_ros2: dict[str, str]
) -> None:
    done = make(with_ros2, str(tmp_path / "keys"))
    assert (done.returncode, done.stderr) == (0, "")
    enclaves = set(EXPECTED["one_domain.xml"])
    assert asked(with_ros2, "create_keystore") == [("9", "keystore")]
    made = asked(with_ros2, "create_enclave")
    assert sorted(made) == sorted(("9", "keystore", enclave) for enclave in enclaves)
    permitted = asked(with_ros2, "create_permission")
    assert permitted == [(*call, "one_domain.xml") for call in made]


def test_two_domains_are_two_authorities_and_what_is_signed_names_the_domain(
    tmp_path: Path, with_ros2: dict[str, str]
) -> None:
    assert make(with_ros2, str(tmp_path / "keys"), "1", "2").returncode == 0
    assert asked(with_ros2, "create_keystore") == [
        ("1", "planner_domain"),
        ("2", "robot_domain"),
    ]
    assert set(asked(with_ros2, "create_permission")) == {
        (domain, store, enclave, f"{store}.xml")
        for domain, store in (("1", "planner_domain"), ("2", "robot_domain"))
        for enclave in EXPECTED[f"{store}.xml"]
    }


def test_the_gates_keystore_holds_its_two_enclaves_and_nothing_that_signs(
    tmp_path: Path, with_ros2: dict[str, str]
) -> None:
    keys = tmp_path / "keys"
    assert make(with_ros2, str(keys), "1", "2").returncode == 0
    files = {path.relative_to(keys / "gate") for path in (keys / "gate").rglob("*.pem")}
    enclave = Path("enclaves/redbutton/gate")
    assert files == {
        folder / name
        for folder in (enclave, enclave / "planner_side")
        for name in ("key.pem", "identity_ca.cert.pem")
    }
    for side, authority in ((".", "authority 2\n"), ("planner_side", "authority 1\n")):
        certificate = keys / "gate" / enclave / side / "identity_ca.cert.pem"
        assert not certificate.is_symlink()
        assert certificate.read_text() == authority


def test_keys_are_readable_by_their_maker_only(tmp_path: Path, with_ros2: dict[str, str]) -> None:
    keys = tmp_path / "keys"
    assert make(with_ros2, str(keys), "1", "2").returncode == 0
    for path in (keys, *keys.rglob("*")):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_failure_of_ros2_security_is_not_passed_over(
    tmp_path: Path, with_ros2: dict[str, str]
) -> None:
    ros2 = Path(with_ros2["PATH"]) / "ros2"
    ros2.write_text(FAKE_ROS2.replace("create_permission)", "create_permission) exit 1;"))
    assert make(with_ros2, str(tmp_path / "keys")).returncode != 0
