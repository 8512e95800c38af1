"""A log that cannot be written changes nothing for the gate (SR-22)."""

from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from ros_side import MakeScene, twist, wait

from redbutton_msgs.srv import RequestStop


@pytest.mark.requirement("SR-22")
@pytest.mark.timeout(300)
def test_a_log_that_cannot_be_written_stops_nobody_and_is_told(
    scene: MakeScene, tmp_path: Path
) -> None:
    here = scene(record=tmp_path / "none")
    assert wait(lambda: here.state.record_fails, 30.0)
    asked = here.planner.say(Twist, "cmd_vel_request")
    passed = here.robot.hear(Twist, "cmd_vel")
    here.send(asked, twist(0.0), 0.1)
    here.send(asked, twist(0.2), 0.5)
    assert wait(lambda: any(message.linear.x for message in passed))
    request = RequestStop.Request(reason="", category=0)
    assert here.planner.call(RequestStop, "estop/request_stop", request).stopped
