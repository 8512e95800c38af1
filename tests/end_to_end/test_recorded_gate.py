"""What the gate does is recorded, in a log that no flood of the planner's fills (SR-22, SR-25)."""

import json
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from ros_side import MakeScene, twist, wait

from redbutton.record.audit import End, Keys, Line, audit
from redbutton.record.folder import create, lines, load_state
from redbutton_msgs.srv import CheckPlan, RequestStop


def kinds_in(path: Path) -> dict[str, list[dict[str, object]]]:
    """The fields of all entries, by kind."""
    found: dict[str, list[dict[str, object]]] = {}
    for _, line in lines(path):
        entry = json.loads(line)["entry"]
        found.setdefault(entry["kind"], []).append(entry["fields"])
    return found


@pytest.mark.requirement("SR-22", "SR-25")
@pytest.mark.timeout(300)
def test_what_was_refused_judged_and_stopped_is_in_the_log_and_a_flood_is_a_few_entries(
    scene: MakeScene, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    escrow = create(folder, "lab/gate")
    here = scene(record=folder, input__planner__max_linear=0.5, heartbeat_timeout_ms=1000)
    asked = here.planner.say(Twist, "cmd_vel_request")
    here.send(asked, twist(0.0), 0.1)
    here.send(asked, twist(2.0), 3.0)  # 150 commands beyond the limit
    plan = here.planner.call(CheckPlan, "estop/check_plan", CheckPlan.Request(plan="{}"))
    assert plan.verdict == CheckPlan.Response.REFUSE
    request = RequestStop.Request(reason="enough\u202e", category=0)
    assert here.planner.call(RequestStop, "estop/request_stop", request).stopped
    assert not here.state.record_fails

    def there() -> bool:
        found = kinds_in(folder)
        return {"refused", "plan", "stop_requested"} <= set(found) and any(
            fields["cause"] == "stop requested" for fields in found.get("transition", [])
        )

    assert wait(there, 30.0), (sorted(kinds_in(folder)), kinds_in(folder).get("transition"))
    found = kinds_in(folder)
    assert 1 < len(found["refused"]) <= 4
    assert sum(int(str(fields["count"])) for fields in found["refused"]) > 20
    assert "linear speed 2 m/s is beyond 0.5" in str(found["refused"][0]["reason"])
    assert found["stop_requested"][0]["reason"] == "enough\\u202e"
    assert found["plan"][0]["name"] == "refuse default"
    assert found["configuration"][0]["protocol"] == 1
    state = load_state(folder)
    read = [Line(name, text) for name, text in lines(folder)]
    held = Keys(bytes.fromhex(escrow.first_key), bytes.fromhex(escrow.public_key))
    report = audit("lab/gate", read, held, end=End(state.place.size, key=state.place.key))
    assert report.faults == []


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
