"""In a network of its own: the interface that DDS uses goes down, and comes again.

usage: unshare -rn python cut_off.py DOMAIN
Prints what became of the load: {"ran": bool, "dead": bool, "again": bool}.
"""

import fcntl
import json
import socket
import struct
import sys

from nav_msgs.msg import Odometry
from ros_side import scene_on, wait

SET_FLAGS = 0x8914  # SIOCSIFFLAGS
UP = 0x1


def loopback(up: bool) -> None:
    """Switch it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, SET_FLAGS, struct.pack("16sH14x", b"lo", UP if up else 0))


def main(domain: int) -> None:
    """The robot is heard by its odometry; then there is no network; then there is."""
    with scene_on(domain, run=False, vouches=False, odometry="odom", odometry_timeout=0.5) as here:
        odometry = here.robot.say(Odometry, "odom")
        here.robot.node.create_timer(0.05, lambda: odometry.publish(Odometry()))
        wait(lambda: here.states and not here.state.withheld)
        told = {"ran": here.stage.reset() > 0}
        loopback(False)
        told["dead"] = here.stage.board.wait_load(False, 3.0)
        loopback(True)
        told["again"] = wait(lambda: not here.state.withheld) and here.stage.reset() > 0
    print(json.dumps(told))  # last: the gate's log comes before


if __name__ == "__main__":
    loopback(True)
    main(int(sys.argv[1]))
