"""Actions through the gate: goals that pass are handed on, a stop ends them for good (SR-10)."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from ros_side import CountingRobot, MakeScene, Scene, wait
from test_msgs.action import Fibonacci

FIBONACCI = {"actions": "[count]", "action__count__type": "test_msgs/action/Fibonacci"}


def goal(here: Scene, order: int, feedback: Any = None) -> Any:
    """The planner asks for it."""
    return here.planner.send_goal(Fibonacci, "count", Fibonacci.Goal(order=order), feedback)


def started(here: Scene, robot: CountingRobot) -> Any:
    """A long goal that the robot follows; its handle."""
    handle = taken(here, 200)
    assert wait(lambda: robot.counted > 2)
    return handle


def taken(here: Scene, order: int, feedback: Any = None) -> Any:
    """The same, accepted: the gate may not have found the robot's server yet."""
    handles: list[Any] = []
    assert wait(lambda: handles.append(goal(here, order, feedback)) or handles[-1].accepted)
    return handles[-1]


def test_a_goal_its_feedback_and_its_result_cross(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    CountingRobot(here.robot)
    heard: list[Any] = []
    handle = taken(here, 4, heard.append)
    answer = here.planner.result(handle.get_result_async())
    assert (answer.status, list(answer.result.sequence)) == (
        GoalStatus.STATUS_SUCCEEDED,
        [0, 1, 2, 3],
    )
    assert [len(message.feedback.sequence) for message in heard] == [1, 2, 3, 4]


def test_a_goal_that_the_planner_cancels_is_cancelled_at_the_robot(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    robot = CountingRobot(here.robot)
    handle = started(here, robot)
    here.planner.result(handle.cancel_goal_async())
    answer = here.planner.result(handle.get_result_async())
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert wait(lambda: robot.running == 0)


def test_a_goal_that_the_robot_rejects_is_aborted(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    CountingRobot(here.robot)
    answer = here.planner.result(taken(here, 1000).get_result_async())
    assert answer.status == GoalStatus.STATUS_ABORTED


@pytest.mark.requirement("SR-24")
def test_no_goal_is_taken_unless_the_controller_is_in_run(scene: MakeScene) -> None:
    here = scene(run=False, **FIBONACCI)
    robot = CountingRobot(here.robot)

    def refused_for_the_state() -> bool:
        assert not goal(here, 4).accepted
        return here.state.refusal.startswith("not running")

    assert wait(refused_for_the_state)  # once the gate has found the robot's server
    assert robot.counted == 0


@pytest.mark.requirement("SR-24")
def test_no_goal_is_taken_for_a_robot_that_has_no_such_action(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    assert not goal(here, 4).accepted
    assert wait(lambda: here.state.refusal == "the robot has no server for count")


@pytest.mark.requirement("SR-10")
def test_a_stop_aborts_the_goal_at_once_and_cancels_it_at_the_robot(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    robot = CountingRobot(here.robot)
    handle = started(here, robot)
    here.stage.board.press()
    answer = here.planner.result(handle.get_result_async(), 1.0)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert wait(lambda: robot.running == 0, 1.0)


@pytest.mark.requirement("SR-10")
def test_after_the_reset_the_goal_is_not_resumed_and_a_new_one_is_taken(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    robot = CountingRobot(here.robot)
    started(here, robot)
    here.stage.board.press()
    assert wait(lambda: robot.running == 0)
    here.stage.board.release()
    counted = robot.counted
    assert here.stage.reset()
    time.sleep(0.7)
    assert robot.counted == counted
    assert taken(here, 1)


@pytest.mark.requirement("SR-10", "SR-20")
def test_a_goal_that_the_robot_does_not_let_go_of_keeps_the_controller_stopped(
    scene: MakeScene,
) -> None:
    here = scene(**FIBONACCI)
    robot = CountingRobot(here.robot, obeys=False)
    handle = started(here, robot)
    here.stage.board.press()
    assert here.planner.result(handle.get_result_async()).status == GoalStatus.STATUS_ABORTED
    here.stage.board.release()
    said = "action count: the robot's server has not ended a goal"
    assert wait(lambda: said in here.state.withheld)
    here.stage.board.reset()
    time.sleep(1.0)
    assert not here.stage.board.load
    robot.obeys = True  # the gate asks again
    assert wait(lambda: not here.state.withheld)
    assert here.stage.reset()


@pytest.mark.requirement("SR-10")
def test_a_goal_under_way_when_the_action_server_dies_is_aborted(scene: MakeScene) -> None:
    here = scene(**FIBONACCI)
    robot = CountingRobot(here.robot)
    handle = started(here, robot)
    robot.die()
    answer = here.planner.result(handle.get_result_async(), 10.0)
    assert answer.status == GoalStatus.STATUS_ABORTED


def at_once(*acts: Callable[[], object]) -> None:
    """Do them side by side."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.requirement("SR-03", "SR-10")
def test_a_goal_that_is_sent_while_the_button_is_pressed_moves_nothing_later(
    scene: MakeScene,
) -> None:
    here = scene(**FIBONACCI)
    robot = CountingRobot(here.robot)
    taken(here, 0)
    at_once(lambda: goal(here, 200), here.stage.board.press)
    assert here.stage.board.wait_load(False, 2.0)
    time.sleep(0.3)  # what was on its way arrives, and is cancelled
    assert wait(lambda: robot.running == 0 and not here.state.withheld)
    here.stage.board.release()
    counted = robot.counted
    assert here.stage.reset()
    time.sleep(0.5)
    assert robot.counted == counted
