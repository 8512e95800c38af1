"""The serial port: finds it, opens it for this process alone, and never waits on it for long."""

import contextlib
import errno
import os
from pathlib import Path

import serial
from serial.tools import list_ports

from redbutton.errors import LinkLost, PortForbidden, PortInUse, PortMissing

DEFAULT_PORT = "/dev/redbutton"
# What MicroPython on a Pico enumerates as. Every Pico that runs MicroPython does, so that finding
# one is no proof: the controller's hello is.
USB_VENDOR, USB_PRODUCT = 0x2E8A, 0x0005
WRITE_TIMEOUT_S = 0.02


def find_port() -> str:
    """/dev/redbutton if udev made it, else the only board that could be one."""
    if os.path.exists(DEFAULT_PORT):
        return DEFAULT_PORT
    boards = [
        port.device
        for port in list_ports.comports()
        if (port.vid, port.pid) == (USB_VENDOR, USB_PRODUCT)
    ]
    if not boards:
        raise PortMissing(
            f"no controller found: {DEFAULT_PORT} does not exist and no board with USB identity "
            f"{USB_VENDOR:04x}:{USB_PRODUCT:04x} is connected (name the port with --port)"
        )
    if len(boards) > 1:
        raise PortMissing(
            f"{len(boards)} boards could be the controller ({', '.join(sorted(boards))}): "
            "name one with --port, or install the udev rule"
        )
    return boards[0]


class SerialLink:
    """An open port, owned by this process. Every failure is a RedbuttonError with one line."""

    def __init__(self, port: str, write_timeout_s: float = WRITE_TIMEOUT_S) -> None:
        """Open it, or raise PortMissing, PortForbidden or PortInUse."""
        self.port = port
        try:
            self._serial = serial.Serial(
                port, timeout=0, write_timeout=write_timeout_s, exclusive=True
            )
        except serial.SerialException as error:
            raise _opening_error(port, error) from None
        except (OSError, ValueError) as error:
            raise PortMissing(f"{port} is not a serial port: {error}") from None

    def fileno(self) -> int:
        """For select: readable when there is something to read."""
        return int(self._serial.fileno())

    def read(self) -> bytes:
        """All that has arrived, without waiting; LinkLost if the port is gone."""
        try:
            return bytes(self._serial.read(65536))
        except (serial.SerialException, OSError, TypeError):
            raise LinkLost(f"{self.port} was unplugged") from None

    def write(self, data: bytes) -> None:
        """Send it all in time; LinkLost if the port is gone or takes no more."""
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            raise LinkLost(f"{self.port} takes no more data") from None
        except (serial.SerialException, OSError, TypeError):
            raise LinkLost(f"{self.port} was unplugged") from None

    def close(self) -> None:
        """Give the port up. Never raises."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._serial.close()


def _opening_error(port: str, error: serial.SerialException) -> Exception:
    if error.errno == errno.ENOENT or not os.path.exists(port):
        return PortMissing(f"{port} does not exist: is the controller plugged in?")
    if error.errno in (errno.EACCES, errno.EPERM):
        return PortForbidden(f"no permission to open {port}: this user may not use the controller")
    if error.errno in (errno.EBUSY, errno.EWOULDBLOCK, errno.EAGAIN):
        return PortInUse(f"{port} is in use{_owner(port)}")
    return PortMissing(f"{port} cannot be opened: {_short(error)}")


def _owner(port: str) -> str:
    """Who holds the lock on the port, as far as the system tells (proc(5), /proc/locks)."""
    try:
        node = os.stat(port)
        place = f"{os.major(node.st_dev):02x}:{os.minor(node.st_dev):02x}:{node.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == place:
                name = Path(f"/proc/{fields[4]}/comm").read_text().strip()
                return f" by process {fields[4]} ({name})"
    except (OSError, IndexError):
        pass
    return " by another process"


def _short(error: BaseException) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
