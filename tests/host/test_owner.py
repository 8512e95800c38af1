"""The owner of the port on a virtual board: stops and who asked, conduct, the planner's unit."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import running

from redbutton.attestation import expected
from redbutton.conduct import ConductBounds, ConductWatch, Offence
from redbutton.firmware import wire
from redbutton.local import Client, Peer, StopRequest, socket_path
from redbutton.model import STOP_REQUESTED
from redbutton.owner import ConductExceeded, Happening, Owner
from redbutton.planner_unit import OnStop, PlannerActed, PlannerUnit
from redbutton.stop_log import StopRequested
from redbutton.virtual.board import RealTimeBoard

TIMEOUT_MS = 1000
WAIT_S = 10.0
NOBODY = 65534
ASK = """
import os, socket, sys
os.setuid({user})
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    client.sendall(b'{{"stop": {{"reason": "smoke"}}}}\\n')
    print(os.getpid())
"""


class Turning:
    """An owner that turns in a thread, and what happened."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.happened: list[Happening] = []
        self.turns = 0
        self._over = False
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while not self._over:
            self.happened += self.owner.turn()
            self.turns += 1
            self.owner.wait(0.01)

    def wait(self, condition: Callable[[], object]) -> bool:
        end = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.happened if isinstance(one, kind)]

    def close(self) -> None:
        self._over = True
        self._thread.join()
        self.owner.close()


@pytest.fixture
def board(key: bytes, port: Path) -> Iterator[RealTimeBoard]:
    """A virtual board that is patient: these tests are not about the heartbeat's timeout."""
    with RealTimeBoard(key, port, heartbeat_timeout_ms=TIMEOUT_MS) as board:
        yield board


@pytest.fixture
def own(board: RealTimeBoard, key: bytes, port: Path) -> Iterator[Callable[..., Turning]]:
    """Make the owner, with these settings, and have a person reset."""
    turning: list[Turning] = []

    def make(**given: Any) -> Turning:
        turning.append(Turning(Owner(str(port), key, expected(), **given)))
        reset(board, turning[-1])
        return turning[-1]

    yield make
    for one in turning:
        one.close()


def reset(board: RealTimeBoard, turning: Turning) -> None:
    for _ in range(10):
        assert turning.wait(lambda: turning.owner.state().heard)
        assert turning.wait(lambda: not turning.owner.state().present)
        board.reset()
        if board.wait_load(True, 2.0) and turning.wait(lambda: turning.owner.state().running):
            seen = turning.turns + 1  # by the owner's thread, too
            assert turning.wait(lambda seen=seen: turning.turns > seen)
            return
    raise AssertionError("no reset acted")


@pytest.mark.requirement("SR-06")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_stops_the_robot_and_is_named(
    own: Callable[..., Turning], board: RealTimeBoard, port: Path, runtime_folder: Path
) -> None:
    runtime_folder.chmod(0o711)
    turning = own()
    asking = subprocess.run(
        [sys.executable, "-c", ASK.format(user=NOBODY), str(socket_path(str(port)))],
        capture_output=True,
        check=True,
        text=True,
    )
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: turning.of(StopRequested))
    peer = Peer(pid=int(asking.stdout), uid=NOBODY, gid=0)
    assert turning.of(StopRequested) == [StopRequested(0, "smoke", peer)]
    assert turning.wait(lambda: turning.owner.state().stopped)
    assert (
        turning.owner.state()
        .sentence()
        .endswith(f"first cause: stop requested (user {NOBODY}: smoke)")
    )


def test_why_it_was_stopped_is_forgotten_at_the_reset(
    own: Callable[..., Turning], board: RealTimeBoard
) -> None:
    turning = own()
    turning.owner.stop(0, "first")
    turning.owner.stop(0, "second")
    assert turning.wait(lambda: turning.owner.state().stopped)
    assert turning.owner.state().requested == "first"
    reset(board, turning)
    assert turning.owner.state().requested is None


@pytest.mark.requirement("SR-06")
def test_a_request_that_the_link_loses_is_made_again(
    own: Callable[..., Turning], board: RealTimeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    turning = own()
    link = turning.owner._link
    assert link is not None
    write, lost = link.write, 0

    def lossy(data: bytes) -> None:
        nonlocal lost
        frame = wire.decode(data.strip())
        if frame is not None and frame[1] == wire.STOP and lost < 3:
            lost += 1
            return
        write(data)

    monkeypatch.setattr(link, "write", lossy)
    assert turning.owner.stop()
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: STOP_REQUESTED in turning.owner.state().causes)
    assert lost == 3
    reset(board, turning)  # and it is not made again after that
    time.sleep(0.3)
    assert board.load


def test_a_thousand_requests_are_one_to_the_controller(
    own: Callable[..., Turning], board: RealTimeBoard, port: Path
) -> None:
    turning = own()
    client = Client(socket_path(str(port)))
    for _ in range(1000):
        client.stop(StopRequest())
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: sum(one.times for one in turning.of(StopRequested)) == 1000)
    client.close()
    counters = turning.owner.state().counters
    assert counters is not None and counters.stop_requests < 500
    assert len(turning.of(StopRequested)) < 30


@pytest.mark.requirement("SR-06")
def test_unusual_conduct_is_a_stop_with_that_cause(
    own: Callable[..., Turning], board: RealTimeBoard
) -> None:
    watch = ConductWatch(ConductBounds(refused=10))
    turning = own(conduct=watch)
    for _ in range(11):
        watch.count(Offence.REFUSED, time.monotonic())
    words = "unusual conduct: more than 10 refused requests in a minute"
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: turning.owner.state().stopped)
    assert turning.owner.state().requested == words
    assert turning.of(ConductExceeded) == [ConductExceeded(words)]
    reset(board, turning)
    time.sleep(0.3)
    assert board.load, "counting begins anew"


def test_frames_that_the_controller_rejects_are_counted(
    own: Callable[..., Turning], board: RealTimeBoard
) -> None:
    turning = own(conduct=ConductWatch(ConductBounds(frames=50)))
    assert board.load
    for _ in range(60):
        os.write(board.serial_in, b"\nAAAA\n")  # somebody else on the link
        time.sleep(0.005)
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: turning.of(ConductExceeded))
    assert "frames rejected by the controller" in turning.of(ConductExceeded)[0].words


def test_malformed_requests_on_the_socket_are_counted(
    own: Callable[..., Turning], board: RealTimeBoard, port: Path
) -> None:
    turning = own(conduct=ConductWatch(ConductBounds(malformed=50)))
    client = Client(socket_path(str(port)))
    client._socket.sendall(b'{"run": true}\n' * 60)
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: turning.of(ConductExceeded))
    client.close()


def test_the_planner_is_frozen_from_the_stop_to_measured_run(
    own: Callable[..., Turning], board: RealTimeBoard, tmp_path: Path
) -> None:
    """In a folder that looks like its control group; test_planner_unit has real ones."""
    freeze = tmp_path / "cgroup.freeze"
    freeze.write_text("0")
    turning = own(planner=PlannerUnit(tmp_path, OnStop.FREEZE))
    assert turning.wait(lambda: freeze.read_text() == "0")
    board.press()
    assert turning.wait(lambda: freeze.read_text() == "1")
    board.release()
    assert turning.wait(lambda: not turning.owner.state().present)
    assert freeze.read_text() == "1"
    reset(board, turning)
    assert turning.wait(lambda: freeze.read_text() == "0")
    said = [one.action for one in turning.of(PlannerActed)]
    assert said == ["freeze", "thaw", "freeze", "thaw"], "it began stopped"


@pytest.mark.requirement("SR-06")
def test_a_planner_that_cannot_be_frozen_hinders_no_stop_and_is_said(
    own: Callable[..., Turning], board: RealTimeBoard, tmp_path: Path
) -> None:
    turning = own(planner=PlannerUnit(tmp_path / "none", OnStop.FREEZE))
    turning.owner.stop(0, "test")
    assert board.wait_load(False, 5.0)
    assert turning.wait(lambda: turning.owner.state().stopped)
    (notice,) = turning.owner.state().notices
    assert notice.startswith("the planner is NOT frozen")


def test_run_says_who_asked_and_what_priority_it_has(
    board: RealTimeBoard, port: Path, key: bytes, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(key.hex())
    with running("run", "-p", str(port), "-k", str(key_file), "--json") as process:
        assert process.stdout
        said: list[dict[str, Any]] = []
        for line in process.stdout:
            said.append(json.loads(line))
            if said[-1].get("state") == "STOPPED":
                break
        priority = next(one["got"] for one in said if one.get("event") == "priority")
        assert said[-1]["notices"] == [f"runs with {priority}"]
        client = Client(socket_path(str(port)))
        client.stop(StopRequest(category=1, reason="by a test"))
        for line in process.stdout:
            told = json.loads(line)
            if told.get("event") == "stop_requested":
                break
        client.close()
    assert told["peer"] == {"pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid()}
    assert (told["category"], told["reason"], told["times"]) == (1, "by a test", 1)
