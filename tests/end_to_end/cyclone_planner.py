"""A planner in another DDS, Eclipse Cyclone DDS: no ROS in this process but its names and types.

It is in the domain of ROS_DOMAIN_ID, and reads the type of the state from its definition, as
whoever generates code from it does. Takes one command a line on standard input and answers each
with one line of JSON:

    drive SPEED    send cmd_vel_request at 20 Hz, until told otherwise
    rest           send nothing
    state          the last estop/state that was read
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import make_idl_struct
from cyclonedds.idl.types import float64, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

STATE = Path(__file__).parents[2] / "ros_ws/src/redbutton_msgs/msg/SafetyState.msg"
PERIOD_S = 0.05
# What ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST is to ROS 2. Fast DDS (vendor 1.15) describes types
# with sequences in a way that Cyclone finds invalid: then names of types are compared alone.
CONFIGURATION = """<General><AllowMulticast>false</AllowMulticast>
<Interfaces><NetworkInterface name="lo"/></Interfaces></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex>
<MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>
<Peers><Peer address="localhost"/></Peers></Discovery>
<Compatibility><IgnoreTypeInformation>1.15</IgnoreTypeInformation></Compatibility>"""
RELIABLE = (
    Policy.Reliability.Reliable(duration(seconds=1)),
    Policy.DataRepresentation(use_cdrv0_representation=True),  # as ROS 2 speaks
)
COMMANDS = Qos(*RELIABLE, Policy.History.KeepLast(10))
LATCHED = Qos(*RELIABLE, Policy.History.KeepLast(1), Policy.Durability.TransientLocal)


def structure(name: str, **fields: Any) -> Any:
    """A type under the name that ROS 2 gives it on the wire: package/Name."""
    package, short = name.split("/")
    return make_idl_struct(short, f"{package}::msg::dds_::{short}_", fields)


VECTOR = structure("geometry_msgs/Vector3", x=float64, y=float64, z=float64)
TWIST = structure("geometry_msgs/Twist", linear=VECTOR, angular=VECTOR)
TIME = structure("builtin_interfaces/Time", sec=int32, nanosec=uint32)
TYPES = {
    "bool": bool,
    "uint8": uint8,
    "uint32": uint32,
    "string": str,
    "builtin_interfaces/Time": TIME,
    "builtin_interfaces/Duration": structure(
        "builtin_interfaces/Duration", sec=int32, nanosec=uint32
    ),
    "std_msgs/Header": structure("std_msgs/Header", stamp=TIME, frame_id=str),
}


def read_definition(file: Path) -> tuple[Any, dict[int, str]]:
    """The type that a message file defines, and the names of its constants."""
    fields, constants = {}, {}
    for line in file.read_text().splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        kind, what = words
        name, _, value = what.partition("=")
        if value:
            constants[int(value)] = name
        elif kind.endswith("[]"):
            fields[name] = sequence[TYPES[kind.removesuffix("[]")]]
        else:
            fields[name] = TYPES[kind]
    return structure(f"redbutton_msgs/{file.stem}", **fields), constants


class CyclonePlanner:
    """One writer and one reader."""

    def __init__(self) -> None:
        state, self._names = read_definition(STATE)
        domain = int(os.environ["ROS_DOMAIN_ID"])
        self._domain = Domain(domain, CONFIGURATION)
        participant = DomainParticipant(domain)
        commands = Topic(participant, "rt/cmd_vel_request", TWIST, qos=COMMANDS)
        states = Topic(participant, "rt/estop/state", state, qos=LATCHED)
        self._writer = DataWriter(participant, commands, qos=COMMANDS)
        self._reader = DataReader(participant, states, qos=LATCHED)
        self._speed: float | None = None
        threading.Thread(target=self._drive, daemon=True).start()

    def _drive(self) -> None:
        still = VECTOR(x=0.0, y=0.0, z=0.0)
        while True:
            if self._speed is not None:
                self._writer.write(
                    TWIST(linear=VECTOR(x=self._speed, y=0.0, z=0.0), angular=still)
                )
            time.sleep(PERIOD_S)

    def obey(self, words: list[str]) -> dict[str, Any]:
        """Do one command; what came of it."""
        match words:
            case ["drive", speed]:
                self._speed = float(speed)
            case ["rest"]:
                self._speed = None
            case ["state"]:
                return self._told_state()
            case _:
                return {"error": "not a command"}
        return {"done": words[0]}

    def _told_state(self) -> dict[str, Any]:
        told: dict[str, Any] = {"gates": len(self._writer.get_matched_subscriptions())}
        for state in self._reader.read():
            told["state"] = self._names[state.state]
            told["load_proven_off"] = state.load_proven_off
            told["first_cause"] = state.first_cause
            told["refusal"] = state.refusal
        return told


def main() -> None:
    """Until standard input ends."""
    planner = CyclonePlanner()
    for line in sys.stdin:
        print(json.dumps(planner.obey(line.split())), flush=True)


if __name__ == "__main__":
    main()
