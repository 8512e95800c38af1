"""The udev rule that gives one controller its name below /dev, and its port to redbutton."""

import re

from redbutton.errors import RedbuttonError
from redbutton.install.layout import Layout, template

TEMPLATE = "70-redbutton.rules"


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
    layout = Layout(name)
    return template(TEMPLATE).replace("@SERIAL@", serial.lower()).replace("@NAME@", layout.name)
