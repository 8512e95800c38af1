"""The host's configuration: one YAML file for `redbutton run` and what runs beside it.

`redbutton run --config /etc/redbutton/host.yaml`. Everything has a default; each part of the host
says in its own module what its section holds.
"""

import os
from pathlib import Path

from pydantic import Field

from redbutton import document
from redbutton.conduct import ConductBounds
from redbutton.document import Part
from redbutton.errors import ConfigurationWrong
from redbutton.pendant.settings import PendantSettings
from redbutton.planner_unit import PlannerConfiguration
from redbutton.record.diary import RecordSection

ENVIRONMENT = "REDBUTTON_CONFIG"
DEFAULT_FILE = Path("/etc/redbutton/host.yaml")


class HostConfiguration(Part):
    """`port`: of the controller, None to look for it. `key_file`: the link key, None for the
    usual one. `planner`: what becomes of its processes at a stop. `conduct`: what is a stop
    without ROS; the gate has it from the robot's profile. `record`: see RecordSection. `pendant`:
    on this computer's pins, if it has one."""

    port: str | None = None
    key_file: str | None = None
    planner: PlannerConfiguration = Field(default_factory=PlannerConfiguration)
    conduct: ConductBounds = Field(default_factory=ConductBounds)
    record: RecordSection = Field(default_factory=RecordSection)
    pendant: PendantSettings | None = None


def load(path: Path | None = None) -> HostConfiguration:
    """In `path`, else where REDBUTTON_CONFIG says, else in /etc/redbutton/host.yaml if that is
    there, else all defaults. ConfigurationWrong names file, line, field and what is wrong."""
    file = file_of(path)
    if file is None:
        return HostConfiguration()
    return document.read(file, HostConfiguration, ConfigurationWrong)


def file_of(path: Path | None = None) -> Path | None:
    """The file that `load` reads; None for all defaults."""
    named = path or os.environ.get(ENVIRONMENT)
    if named is None and not DEFAULT_FILE.exists():
        return None
    return Path(named or DEFAULT_FILE)
