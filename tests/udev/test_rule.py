"""The udev rule, as the real udev of this machine reads it; only the boards are made up."""

import re
from pathlib import Path

import pytest
from fake_machine import ASLEEP, Board, FakeMachine, Port, missing, require

from redbutton import udev
from redbutton.errors import RedbuttonError

SERIAL = "e6614c311b7e6f2c"
OTHER_SERIAL = "e6614c311b7e6f2d"
CONTROLLER = Board(SERIAL)
# As systemd's own 50-udev-default.rules has it.
SERIAL_PORTS = 'SUBSYSTEM=="tty", KERNEL=="tty[A-Z]*[0-9]", GROUP="dialout", MODE="0660"\n'
TEMPLATE = Path(__file__).parents[2] / "udev/70-redbutton.rules"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    require()
    return FakeMachine(tmp_path)


@pytest.mark.parametrize("action", ["add", "change"])  # plugged in; udevadm trigger
def test_the_controller_is_named(machine: FakeMachine, action: str) -> None:
    machine.install(udev.rule(SERIAL))
    assert machine.plug(CONTROLLER, action).links == {"/dev/redbutton"}


@pytest.mark.parametrize(
    "board",
    [
        pytest.param(Board(OTHER_SERIAL), id="another Pico"),
        pytest.param(Board(""), id="a Pico without a serial number"),
        pytest.param(Board(SERIAL, product="0003"), id="its bootloader"),
        pytest.param(Board(SERIAL.upper(), product="0003"), id="its bootloader in upper case"),
        pytest.param(Board(SERIAL, vendor="239a"), id="another vendor"),
        pytest.param(Board(SERIAL + "0"), id="a longer serial number"),
        pytest.param(Board(OTHER_SERIAL, hub_serial=SERIAL), id="another Pico behind a hub"),
    ],
)
def test_nothing_else_is_named(machine: FakeMachine, board: Board) -> None:
    machine.install(udev.rule(SERIAL))
    port = machine.plug(board)
    assert port.links == set()
    assert port.tags == set()
    assert "ID_MM_DEVICE_IGNORE" not in port.properties


def test_several_controllers_have_a_name_each(machine: FakeMachine) -> None:
    machine.install(udev.rule(SERIAL))
    machine.install(udev.rule(OTHER_SERIAL, "redbutton-arm"), "70-redbutton-arm.rules")
    assert machine.plug(CONTROLLER).links == {"/dev/redbutton"}
    assert machine.plug(Board(OTHER_SERIAL)).links == {"/dev/redbutton-arm"}


def test_modem_manager_leaves_the_port_alone(machine: FakeMachine) -> None:
    machine.install(udev.rule(SERIAL))
    assert machine.plug(CONTROLLER).properties["ID_MM_DEVICE_IGNORE"] == "1"


def test_a_unit_can_be_bound_to_it_and_the_user_at_the_screen_gets_nothing(
    machine: FakeMachine,
) -> None:
    machine.install(udev.rule(SERIAL))
    assert machine.plug(CONTROLLER).tags == {"systemd"}


@pytest.mark.requirement("SR-25")
def test_the_port_is_redbuttons_alone(machine: FakeMachine) -> None:
    """Though the system's own rule gives serial ports to a group that the planner is in."""
    machine.install(SERIAL_PORTS, "50-udev-default.rules")
    machine.make_users()
    machine.install(udev.rule(SERIAL))
    user, group = machine.number("passwd", "redbutton"), machine.number("group", "redbutton")
    assert user and group
    assert node(machine.plug(CONTROLLER)) == f"{user}:{group}:660"
    assert node(machine.plug(Board(OTHER_SERIAL))) == "0:20:660"


@pytest.mark.requirement("SR-25")
def test_without_that_user_the_port_is_roots_alone(machine: FakeMachine) -> None:
    machine.install(SERIAL_PORTS, "50-udev-default.rules")
    machine.install(udev.rule(SERIAL))
    port = machine.plug(CONTROLLER)
    assert port.links == {"/dev/redbutton"}
    assert node(port).startswith("0:0:")


def test_a_udev_that_drops_the_line_of_the_unknown_user_leaves_the_port_roots(
    machine: FakeMachine,
) -> None:
    """As udev does from 258 on; here somebody else has taken the line out."""
    machine.install(SERIAL_PORTS, "50-udev-default.rules")
    kept = [line for line in udev.rule(SERIAL).splitlines() if 'OWNER="redbutton"' not in line]
    assert len(kept) == len(udev.rule(SERIAL).splitlines()) - 1
    machine.install("\n".join(kept) + "\n")
    port = machine.plug(CONTROLLER)
    assert port.links == {"/dev/redbutton"}
    assert node(port) == "0:0:600"


@pytest.mark.parametrize(
    ("board", "control"),
    [
        pytest.param(CONTROLLER, "on", id="the controller"),
        pytest.param(Board(OTHER_SERIAL), ASLEEP, id="another Pico"),
    ],
)
def test_only_the_controller_never_sleeps(
    machine: FakeMachine, board: Board, control: str
) -> None:
    machine.install(udev.rule(SERIAL))
    assert machine.sleep_control(board) == control


def test_the_rule_does_nothing_else() -> None:
    """No RUN, and no name of a user that may not exist beside what must always be done."""
    assigned = re.findall(r'([A-Z]+(?:\{[\w/]+\})?)\s*[-+:]?=\s*"', _lines(udev.rule(SERIAL)))
    assert assigned == [
        *("SYMLINK", "OWNER", "GROUP", "MODE", "ENV{REDBUTTON}", "ENV{ID_MM_DEVICE_IGNORE}"),
        *("TAG", "OWNER", "GROUP", "MODE", "ATTR{power/control}"),
    ]


def test_the_template_unfilled_names_nothing(machine: FakeMachine) -> None:
    machine.install(TEMPLATE.read_text())
    assert machine.plug(CONTROLLER).links == set()


def test_udev_finds_nothing_wrong(machine: FakeMachine) -> None:
    machine.make_users()
    machine.install(udev.rule(SERIAL, "redbutton-arm-2"))
    assert machine.complaints() == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("SYMLINK+=", "SYMLNK+="),
        ("ATTRS{serial}==", "ATTRS{serial}="),
        ('=="0005"', '=="0005'),
        ('TAG+="systemd"', 'GROUP="no-such-group"'),
    ],
)
def test_udev_would_find_what_is_wrong(machine: FakeMachine, right: str, wrong: str) -> None:
    machine.make_users()
    rules = udev.rule(SERIAL)
    assert right in rules
    machine.install(rules.replace(right, wrong))
    assert machine.complaints() != []


def test_a_serial_number_is_taken_in_either_case() -> None:
    """Raspberry Pi's tools and the bootloader write upper case, MicroPython lower."""
    assert udev.rule(SERIAL.upper()) == udev.rule(SERIAL)


def test_the_finished_rule_has_no_gap_left() -> None:
    assert "@" in TEMPLATE.read_text()
    assert "@" not in udev.rule(SERIAL)


@pytest.mark.parametrize(
    "serial",
    ["", SERIAL[1:], SERIAL + "0", SERIAL + "\n", "g" * 16, "*" * 16, '"' * 16, "٣" * 16],
)
def test_what_is_no_serial_number_is_refused(serial: str) -> None:
    with pytest.raises(RedbuttonError, match=f"serial number.*{re.escape(repr(serial))}"):
        udev.rule(serial)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "arm",
        "redbutton-",
        "redbutton--arm",
        "redbutton-Arm",
        "redbutton arm",
        "redbutton\n",
        'redbutton", RUN+="x',
        "../redbutton",
        "redbutton-$kernel",
    ],
)
def test_what_is_no_name_of_a_link_is_refused(name: str) -> None:
    with pytest.raises(RedbuttonError, match=f"link.*{re.escape(repr(name))}"):
        udev.rule(SERIAL, name)


def node(port: Port) -> str:
    """User, group and mode of the device node, which only root can make."""
    if not port.node:
        missing("only root can make a device node")
    return port.node


def _lines(rules: str) -> str:
    """Without the comments."""
    return "\n".join(line for line in rules.splitlines() if not line.startswith("#"))
