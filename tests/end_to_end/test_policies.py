"""The SROS2 policies hold exactly what the running gate has: every name, and none more.

Whether they are enforced can only be tried with a DDS that has security: see ros_ws/README.md.
"""

from pathlib import Path
from typing import Any

import pytest
from rclpy.node import Node
from ros_interface import NODE_SERVICES, NODE_TOPICS
from ros_policies import policy_names
from ros_side import MakeScene, wait

ROOT = Path(__file__).parents[2]
BASE = ROOT / "ros_ws" / "src" / "redbutton_ros" / "config" / "base.yaml"
POLICIES = ROOT / "ros_ws" / "security" / "policies"


def of_the_gate(node: Node) -> dict[str, set[str]]:
    """What the node named gate publishes, subscribes and serves, as another node sees it."""
    if not wait(lambda: "gate" in node.get_node_names()):
        return {}

    def names(found: list[Any]) -> set[str]:
        own = {f"/gate/{service}" for service in NODE_SERVICES}
        return {name for name, _ in found} - NODE_TOPICS - own

    return {
        "publish": names(node.get_publisher_names_and_types_by_node("gate", "/")),
        "subscribe": names(node.get_subscriber_names_and_types_by_node("gate", "/")),
        "reply": names(node.get_service_names_and_types_by_node("gate", "/")),
    }


def allowed(file: str, enclave: str) -> dict[str, set[str]]:
    """The same by the policy."""
    names = policy_names(POLICIES / file)[enclave]
    own = {f"/gate/{service}" for service in NODE_SERVICES}
    return {
        access: names.get(access, set()) - NODE_TOPICS - own
        for access in ("publish", "subscribe", "reply")
    }


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize(
    ("side", "file", "enclave"),
    [
        ("planner", "planner_domain.xml", "/redbutton/gate/planner_side"),
        ("robot", "robot_domain.xml", "/redbutton/gate"),
    ],
)
def test_the_policies_name_what_the_running_gate_has_and_none_more(
    scene: MakeScene, side: str, file: str, enclave: str
) -> None:
    here = scene(
        run=False,
        arguments=["--params-file", str(BASE)],
        input__planner__topic="''",
        vouches=False,
        planner_timeout=1.0,  # so that planner/alive is listened to
    )
    node = getattr(here, side).node
    wanted = allowed(file, enclave)
    wait(lambda: of_the_gate(node) == wanted, 5.0)
    assert of_the_gate(node) == wanted


@pytest.mark.requirement("SR-25")
def test_the_policies_of_one_domain_name_what_the_running_gate_has_and_none_more(
    scene: MakeScene,
) -> None:
    here = scene(
        run=False,
        single_domain=True,
        vouches=False,
        planner_timeout=1.0,
        arguments=["--params-file", str(BASE)],
        input__planner__topic="''",
    )
    wanted = allowed("one_domain.xml", "/redbutton/gate")
    wait(lambda: of_the_gate(here.robot.node) == wanted, 5.0)
    assert of_the_gate(here.robot.node) == wanted
