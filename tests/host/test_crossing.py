"""What crosses the gate: a description that does not fit together is an error that names why."""

from typing import Any

import pytest
from pydantic import ValidationError

from redbutton.crossing import JOINT_TRAJECTORY, TWIST, TWIST_STAMPED, Crossing

INPUT: dict[str, Any] = {
    "name": "planner",
    "output": "base",
    "side": "planner",
    "topic": "cmd_vel",
    "type": TWIST,
}
OUTPUT = {"name": "base", "topic": "cmd_vel", "type": TWIST}
ACTION = {"name": "go", "topic": "go", "planner_topic": "go", "type": "a_msgs/action/Go"}
BACK = {"name": "odom", "topic": "odom", "type": "nav_msgs/msg/Odometry"}
TWO = {"single_domain": False, "outputs": [OUTPUT], "inputs": [INPUT]}
ONE = {**TWO, "single_domain": True}


def problem(given: dict[str, Any]) -> str:
    """What is wrong with it."""
    with pytest.raises(ValidationError) as raised:
        Crossing.model_validate(given)
    return str(raised.value.errors()[0]["msg"])


def test_in_two_domains_a_planner_uses_the_robots_own_names() -> None:
    given = {**TWO, "actions": [ACTION], "topics_back": [BACK]}
    assert Crossing.model_validate(given).inputs[0].topic == "cmd_vel"


@pytest.mark.parametrize("asked", [TWIST, TWIST_STAMPED])
@pytest.mark.parametrize("out", [TWIST, TWIST_STAMPED])
def test_velocities_go_out_as_either_type(asked: str, out: str) -> None:
    Crossing.model_validate(
        {**TWO, "inputs": [{**INPUT, "type": asked}], "outputs": [{**OUTPUT, "type": out}]}
    )


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**TWO, "inputs": [{**INPUT, "output": "arm"}]}, "there is no output 'arm'"),
        ({**TWO, "inputs": [{**INPUT, "type": JOINT_TRAJECTORY}]}, "cannot go out as"),
        ({**TWO, "inputs": [{**INPUT, "required": True}]}, "needs a deadline"),
        (
            {**TWO, "inputs": [INPUT, INPUT]},
            "input topic in the planner's domain cmd_vel is named",
        ),
        ({**TWO, "outputs": [OUTPUT, OUTPUT]}, "output topic cmd_vel is named 2 times"),
        ({**TWO, "outputs": [{**OUTPUT, "type": "std_msgs/msg/Bool"}]}, "is none of"),
        ({**TWO, "outputs": [{**OUTPUT, "topic": "a b"}]}, "'a b' is no name of ROS's"),
        ({**TWO, "inputs": [{**INPUT, "side": "robot"}]}, "an input and an output in one domain"),
        ({**TWO, "inputs": [{**INPUT, "max_linear": -1.0}]}, "greater than or equal to 0"),
        ({**TWO, "inputs": [{**INPUT, "max_linear": float("nan")}]}, "finite number"),
        ({**TWO, "actions": [ACTION, ACTION]}, "action go is named 2 times"),
        ({**TWO, "actions": [{**ACTION, "type": "Go"}]}, "'Go' is no action type"),
        ({**TWO, "topics_back": [{**BACK, "type": ACTION["type"]}]}, "is no message type"),
        ({**TWO, "topics_back": [{**BACK, "topic": "estop/state"}]}, "only the gate itself"),
        ({**TWO, "topics_back": [{**BACK, "topic": "cmd_vel"}]}, "is an input in the planner's"),
        (ONE, "an input and an output in one domain"),
        ({**ONE, "inputs": [], "actions": [ACTION]}, "planner_topic must differ"),
        ({**ONE, "inputs": [], "topics_back": [BACK]}, "nothing to bring"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_together_is_named(given: dict[str, Any], said: str) -> None:
    assert said in problem(given)
