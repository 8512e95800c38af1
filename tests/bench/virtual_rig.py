"""What tests of the rig share."""

from dataclasses import dataclass
from pathlib import Path

from redbutton.bench.scenario import Scenario
from redbutton.virtual.board import RealTimeBoard
from redbutton.virtual.probe import VirtualProbe


@dataclass
class Bench:
    """What stands on it."""

    board: RealTimeBoard
    wired: VirtualProbe
    port: Path
    probe: Path
    key_file: Path

    def options(self, probe: bool = True) -> list[str]:
        """Of the command line."""
        more = ["--probe", str(self.probe)] if probe else []
        return ["--port", str(self.port), "--key-file", str(self.key_file), *more]


def slow_host_killed() -> Scenario:
    return Scenario.model_validate(
        {
            "name": "slow-host-killed",
            "words": "The host's process is killed.",
            "settings": {"heartbeat_timeout_ms": 500},
            "demand": 100,
            "steps": [{"at": 100, "do": "kill_host"}],
            "expect": [{"load": "off", "from": 700, "to": 1000}],
            "until": 1000,
        }
    )
