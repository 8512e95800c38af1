"""Finding the controller's port. What is plugged in is replaced; nothing else is."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pytest_mock import MockerFixture

from redbutton import link
from redbutton.errors import PortMissing


def plug_in(mocker: MockerFixture, *boards: tuple[str, int, int]) -> None:
    """(device, vendor, product) of everything on USB."""
    ports = [SimpleNamespace(device=d, vid=v, pid=p) for d, v, p in boards]
    mocker.patch("serial.tools.list_ports.comports", return_value=ports)


@pytest.fixture(autouse=True)
def no_udev_link(mocker: MockerFixture, tmp_path: Path) -> Path:
    """/dev/redbutton is somewhere else, and not there."""
    path = tmp_path / "redbutton"
    mocker.patch.object(link, "DEFAULT_PORT", str(path))
    return path


PICO = ("/dev/ttyACM0", 0x2E8A, 0x0005)
SECOND_PICO = ("/dev/ttyACM1", 0x2E8A, 0x0005)
BOOTLOADER = ("/dev/ttyACM2", 0x2E8A, 0x0003)
ARDUINO = ("/dev/ttyACM3", 0x2341, 0x0043)


def test_the_name_that_udev_gives_comes_first(mocker: MockerFixture, no_udev_link: Path) -> None:
    plug_in(mocker, PICO, SECOND_PICO)
    no_udev_link.touch()
    assert link.find_port() == str(no_udev_link)


def test_the_only_board_that_could_be_one_is_taken(mocker: MockerFixture) -> None:
    plug_in(mocker, ARDUINO, BOOTLOADER, PICO)
    assert link.find_port() == "/dev/ttyACM0"


def test_of_several_none_is_guessed(mocker: MockerFixture) -> None:
    plug_in(mocker, PICO, SECOND_PICO)
    with pytest.raises(PortMissing, match=r"2 boards .*ttyACM0, /dev/ttyACM1.*--port"):
        link.find_port()


@pytest.mark.parametrize("boards", [(), (ARDUINO,), (BOOTLOADER,)])
def test_no_board_is_an_error_that_says_how_to_go_on(
    mocker: MockerFixture, boards: tuple[tuple[str, int, int], ...]
) -> None:
    plug_in(mocker, *boards)
    with pytest.raises(PortMissing, match=r"no controller found.*--port"):
        link.find_port()
