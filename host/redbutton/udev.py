"""The udev rule that gives one controller its name below /dev."""

import re
from importlib import resources

from redbutton.errors import RedbuttonError

TEMPLATE = "70-redbutton.rules"  # a link to the file in udev/; a wheel holds the file itself


def rule(serial: str, name: str = "redbutton") -> str:
    """The rules file that links the board with this USB serial number as /dev/`name`.

    Raises RedbuttonError if `serial` is not 16 hexadecimal digits, or if `name` is neither
    redbutton nor redbutton followed by words of a-z and 0-9, each after a hyphen.

    Source: MicroPython writes the serial number in lower case (mp_usbd_hex_str in
    shared/tinyusb/mp_usbd.c), and udev's match is of exact case (udev(7)).
    """
    if not re.fullmatch("[0-9a-fA-F]{16}", serial):
        raise RedbuttonError(
            f"no udev rule: a serial number is 16 hexadecimal digits, and {serial!r} is not "
            "(`udevadm info /dev/ttyACM0` shows it as ID_SERIAL_SHORT)"
        )
    if not re.fullmatch("redbutton(-[a-z0-9]+)*", name):
        raise RedbuttonError(
            "no udev rule: a link is named redbutton or like redbutton-arm (a-z, 0-9 and single "
            f"hyphens), and {name!r} is not"
        )
    template = resources.files("redbutton").joinpath(TEMPLATE).read_text("utf-8")
    return template.replace("@SERIAL@", serial.lower()).replace("@NAME@", name)
