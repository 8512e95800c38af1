"""How the processes of this package live: start, turn until told to end, one line for an error."""

import gc
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from redbutton.errors import RedbuttonError


class RosMissing(RedbuttonError):
    """ROS 2 does not start, as when security is enforced and is not there."""

    exit_code = 15


class Nodes(Protocol):
    """What turns in a process."""

    @property
    def nodes(self) -> Sequence[Node]: ...
    def close(self) -> None: ...


def run(name: str, make: Callable[[], Nodes]) -> None:
    """Make nodes and turn them in one thread; SystemExit with an error's exit code."""
    made = None
    try:
        try:
            rclpy.init()
            made = make()
        except RCLError as error:
            raise RosMissing(f"ROS 2 does not start: {str(error).splitlines()[0]}") from None
        executor = SingleThreadedExecutor()
        for node in made.nodes:
            executor.add_node(node)
        # What is there now stays: to look through it for garbage takes 30 ms, and a stop's time.
        gc.collect()
        gc.freeze()
        try:
            executor.spin()
        except RCLError:  # told to end in the middle of a callback
            if rclpy.ok():
                raise
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RedbuttonError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        try:
            if made is not None:
                made.close()
            rclpy.try_shutdown()
        except KeyboardInterrupt:  # a second Ctrl-C
            pass
