"""A pendant on gpiozero's mock pins, with the real service and firmware on a virtual board."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import redbutton
from gpiozero.pins.mock import MockFactory
from robot import Robot, robot_in_own_folder, until

from redbutton.errors import ConfigurationWrong, MissingTool, PendantFailed
from redbutton.follow import Follow
from redbutton.pendant.pendant import Pendant
from redbutton.pendant.settings import PendantSettings

LEFT_A, LEFT_B, RIGHT, KEY = 5, 6, 13, 26
RED, YELLOW, GREEN, BLUE, BUZZER = 17, 27, 22, 23, 24
SETTINGS = PendantSettings.model_validate(
    {
        "buttons": [
            {"name": "left", "contacts": (LEFT_A, LEFT_B)},
            {"name": "right", "contacts": (RIGHT,), "pull": "down"},
        ],
        "key_switch": {"contacts": (KEY,)},
        "lights": {"red": RED, "yellow": YELLOW, "green": GREEN, "blue": BLUE},
        "buzzer": BUZZER,
    }
)
SOON_S = 5.0  # the machine may be busy


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    """A board and its service; each test brings it into the state that it needs."""
    with robot_in_own_folder() as robot:
        yield robot


class Bench:
    """A pendant at work in a thread, and hands for its pins."""

    def __init__(self, robot: Robot, settings: PendantSettings = SETTINGS) -> None:
        self.factory = MockFactory()
        self.said: list[dict[str, Any]] = []
        self.follow = Follow(str(robot.port))
        self.pendant = Pendant(
            settings, self.follow, lambda text, **fields: self.said.append(fields), self.factory
        )
        self.failed: PendantFailed | None = None
        self._over = False
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        try:
            while not self._over:
                self.pendant.turn()
                self.pendant.wait()
        except PendantFailed as error:
            self.failed = error

    def start(self, *open_wires: int) -> None:
        """With every contact closed but these."""
        for pin in {LEFT_A, LEFT_B, RIGHT, KEY} - set(open_wires):
            self.close_contact(pin)
        self._thread.start()

    def end(self) -> None:
        self._over = True
        if self._thread.is_alive():
            self._thread.join()
        self.pendant.close()
        self.follow.close()

    def close_contact(self, pin: int) -> None:
        wired = self.factory.pin(pin)
        wired.drive_high() if pin == RIGHT else wired.drive_low()

    def open_contact(self, pin: int) -> None:
        wired = self.factory.pin(pin)
        wired.drive_low() if pin == RIGHT else wired.drive_high()

    def lit(self) -> set[int]:
        """The lamps that are driven."""
        lamps = (RED, YELLOW, GREEN, BLUE, BUZZER)
        return {pin for pin in lamps if self.factory.pin(pin).state}

    def names(self, event: str) -> list[str]:
        """Of the switches of which this was said."""
        return [fields["name"] for fields in self.said if fields.get("event") == event]


@pytest.fixture
def bench(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Not started yet."""
    monkeypatch.setenv("REDBUTTON_RUNTIME_DIR", str(robot.folder))
    bench = Bench(robot)
    yield bench
    bench.end()


@pytest.mark.requirement("SR-06", "SR-21")
@pytest.mark.parametrize("pin", [LEFT_A, LEFT_B, RIGHT])
def test_one_open_contact_stops_and_the_lights_follow(
    robot: Robot, bench: Bench, pin: int
) -> None:
    bench.start()
    robot.to_run()
    assert until(lambda: bench.lit() == {GREEN}, SOON_S)
    bench.open_contact(pin)
    assert robot.off()
    assert until(lambda: bench.lit() == {RED, BLUE}, SOON_S)
    assert bench.names("open") == ["right" if pin == RIGHT else "left"]
    assert robot.state().first_cause == "stop requested"


@pytest.mark.requirement("SR-06")
@pytest.mark.parametrize("pin", [LEFT_A, RIGHT, KEY])
def test_an_opening_shorter_than_a_look_is_a_stop(robot: Robot, bench: Bench, pin: int) -> None:
    bench.start()
    robot.to_run()
    bench.open_contact(pin)
    bench.close_contact(pin)
    assert robot.off()
    assert not until(lambda: len(bench.names("open")) > 1, 0.2), "it bounces back: one stop"


@pytest.mark.requirement("SR-06")
def test_a_press_while_nobody_owns_the_port_is_a_stop_when_somebody_does(
    robot: Robot, bench: Bench
) -> None:
    """It is asked for until it is measured."""
    bench.start()
    robot.to_run()
    robot.end_service(signal.SIGKILL)
    bench.open_contact(RIGHT)
    bench.close_contact(RIGHT)
    assert until(lambda: bench.names("closed") == ["right"], SOON_S)
    robot.serve()
    assert until(lambda: "stop requested" in robot.state().causes, SOON_S)


@pytest.mark.requirement("SR-06")
@pytest.mark.parametrize("pin", [LEFT_B, KEY])
def test_a_wire_that_is_open_at_the_start_is_a_stop(robot: Robot, bench: Bench, pin: int) -> None:
    robot.to_run()
    bench.start(pin)
    assert robot.off()


@pytest.mark.requirement("SR-07", "SR-06")
def test_the_key_in_hold_keeps_it_stopped_and_back_it_enables_nothing(
    robot: Robot, bench: Bench
) -> None:
    bench.start()
    robot.to_run()
    bench.open_contact(KEY)
    assert robot.off()
    before = len(robot.board.changes)
    for _ in range(3):
        robot.board.reset()
        assert not robot.board.wait_load(True, 0.8)
    bench.close_contact(KEY)
    assert not robot.board.wait_load(True, 0.5)
    assert not [c for c in robot.board.changes[before:] if (c.signal, c.value) == ("load", 1)]
    robot.to_run()


def test_contacts_that_disagree_are_a_stop_and_are_told(robot: Robot, bench: Bench) -> None:
    bench.start(LEFT_A)
    assert until(lambda: bench.names("disagree") == ["left"], SOON_S)
    bench.close_contact(LEFT_A)
    assert until(lambda: bench.names("closed") == ["left"], SOON_S)


@pytest.mark.requirement("SR-21")
def test_a_service_that_is_killed_makes_it_dark_and_the_next_one_is_shown(
    robot: Robot, bench: Bench, say: Callable[[str], None]
) -> None:
    bench.start()
    robot.to_run()
    assert until(lambda: bench.lit() == {GREEN}, SOON_S)
    begin = time.monotonic()
    robot.end_service(signal.SIGKILL)
    assert until(lambda: not bench.lit(), SOON_S)
    say(f"pendant: all dark {(time.monotonic() - begin) * 1000:.0f} ms after kill -9")
    assert robot.off()
    robot.serve()
    assert until(lambda: bench.lit() == {RED, BLUE}, SOON_S)


@pytest.mark.requirement("SR-21")
def test_a_service_that_hangs_makes_it_dark(robot: Robot, bench: Bench) -> None:
    bench.start()
    assert until(lambda: bool(bench.lit()), SOON_S)
    assert robot.service is not None
    robot.service.send_signal(signal.SIGSTOP)
    try:
        assert until(lambda: not bench.lit(), SOON_S)
    finally:
        robot.service.send_signal(signal.SIGCONT)


@pytest.mark.requirement("SR-06")
@pytest.mark.parametrize("what", ["contact", "lamp"])
def test_a_pin_that_fails_is_a_stop_an_error_and_dark(
    robot: Robot, bench: Bench, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    bench.start()
    robot.to_run()
    assert until(lambda: bench.lit() == {GREEN}, SOON_S)

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    pin = bench.factory.pin(LEFT_A if what == "contact" else GREEN)
    monkeypatch.setattr(pin, "_get_state" if what == "contact" else "_set_state", fails)
    if what == "lamp":
        bench.open_contact(RIGHT)  # the green lamp is to go out
    assert robot.off()
    assert until(lambda: bench.failed is not None, SOON_S)
    assert "a pin of the pendant fails" in str(bench.failed)
    assert until(lambda: RED not in bench.lit(), SOON_S)


@pytest.mark.requirement("SR-06")
def test_a_pin_that_cannot_be_had_is_a_stop_and_an_error(
    robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDBUTTON_RUNTIME_DIR", str(robot.folder))
    robot.to_run()
    broken = SETTINGS.model_copy(update={"buzzer": "NOSUCHPIN"})
    with pytest.raises(PendantFailed, match="NOSUCHPIN"):
        Bench(robot, broken)
    assert robot.off()


def test_the_end_of_it_releases_every_pin(robot: Robot, bench: Bench) -> None:
    bench.start()
    assert until(lambda: bool(bench.lit()), SOON_S)
    bench.end()
    for pin in SETTINGS.outputs.values():
        assert bench.factory.pin(pin).function == "input"


# --- as a process


def written(robot: Robot) -> Path:
    """The host's configuration, with a pendant."""
    file = robot.folder / "host.yaml"
    file.write_text("pendant: {buttons: [{name: left, contacts: [5]}], lights: {red: 17}}\n")
    return file


def test_the_command_runs_until_it_is_ended(robot: Robot) -> None:
    """On gpiozero's mock pins every contact is open: it stops the robot."""
    robot.to_run()
    environment = {**robot.environment, "GPIOZERO_PIN_FACTORY": "mock"}
    options = ("-p", str(robot.port), "--config", str(written(robot)))
    process = subprocess.Popen(
        [sys.executable, "-m", "redbutton.cli", "pendant", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    assert '"ready"' in process.stdout.readline()
    assert robot.off()
    process.terminate()
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 0
    assert complaints == ""


@pytest.mark.parametrize("pins", ["mock", "rpigpio"])
def test_dark_only_switches_off_and_where_there_are_no_pins_that_is_one_line(
    robot: Robot, pins: str
) -> None:
    result = redbutton(
        *("pendant", "-p", str(robot.port), "--config", str(written(robot)), "--dark"),
        env={**os.environ, **robot.environment, "GPIOZERO_PIN_FACTORY": pins},
        timeout=60,
    )
    assert result.stdout == ""
    if pins == "mock":
        assert result.returncode == 0, result.stderr
    else:
        assert result.returncode == PendantFailed.exit_code
        assert len(result.stderr.splitlines()) == 1


def test_without_a_section_for_it_there_is_nothing_to_do(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    file.write_text("port: none\n")
    result = redbutton("pendant", "--config", str(file), timeout=60)
    assert result.returncode == ConfigurationWrong.exit_code
    assert "no section `pendant`" in result.stderr


def test_without_gpiozero_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(MissingTool, match="redbutton\\[pendant\\]"):
        Pendant(SETTINGS, Follow("none"), print)
