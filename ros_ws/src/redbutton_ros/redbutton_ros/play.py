"""How the nodes of the demonstration are told what to do: a line at a time on standard input."""

import sys
import threading
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node


def play(node: Node, obey: Callable[[str], object]) -> None:
    """Spin `node` and call `obey` with each line, until standard input ends."""

    def listen() -> None:
        for line in sys.stdin:
            obey(line.strip())
        rclpy.try_shutdown()

    threading.Thread(target=listen, daemon=True).start()
    try:
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
