"""Scenarios: what people and software do from a state on, and what the load must do meanwhile."""

from collections.abc import Iterator
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator
from typing_extensions import Self

from redbutton.bench.faults import FREE, Act
from redbutton.errors import ScenarioWrong
from redbutton.model import Frozen, first_problem

PRESS_MS = 300  # of the reset button
LONGEST_MS = 60_000
SIZE_MOST = 100_000  # bytes of a file

Requirement = Annotated[str, Field(pattern=r"^SR-\d\d$")]
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=LONGEST_MS)]


class Start(str, Enum):
    """Where a scenario's time begins. power_up: with the chip's reset. stopped: 100 ms later. run:
    as soon as a reset has led to RUN, or should have."""

    POWER_UP = "power_up"
    STOPPED = "stopped"
    RUN = "run"


class Do(str, Enum):
    """What people and software do."""

    PRESS = "press"
    RELEASE = "release"
    RESET = "reset"
    HOLD_RESET = "hold_reset"
    LET_RESET_GO = "let_reset_go"
    MAINTENANCE = "maintenance"
    OPERATION = "operation"
    SUPPLY_OFF = "supply_off"
    SUPPLY_ON = "supply_on"
    POWER_CYCLE = "power_cycle"
    STOP = "stop"
    STOP_CATEGORY_1 = "stop_category_1"
    KILL_HOST = "kill_host"
    FREEZE_HOST = "freeze_host"
    THAW_HOST = "thaw_host"
    START_HOST = "start_host"
    OPEN_CONTACT_A = "open_contact_a"
    CLOSE_CONTACT_A = "close_contact_a"
    UNPLUG = "unplug"
    PLUG = "plug"


# What each is, with ms after it began.
DEEDS: dict[Do, tuple[tuple[int, Act], ...]] = {
    Do.PRESS: ((0, Act("button", 1)),),
    Do.RELEASE: ((0, Act("button", 0)),),
    Do.RESET: ((0, Act("reset", 1)), (PRESS_MS, Act("reset", 0))),
    Do.HOLD_RESET: ((0, Act("reset", 1)),),
    Do.LET_RESET_GO: ((0, Act("reset", 0)),),
    Do.MAINTENANCE: ((0, Act("key", 1)),),
    Do.OPERATION: ((0, Act("key", 0)),),
    Do.SUPPLY_OFF: ((0, Act("supply", 0)),),
    Do.SUPPLY_ON: ((0, Act("supply", 1)),),
    Do.POWER_CYCLE: ((0, Act("board:power", 1)),),
    Do.STOP: ((0, Act("host:stop", 0)),),
    Do.STOP_CATEGORY_1: ((0, Act("host:stop", 1)),),
    Do.KILL_HOST: ((0, Act("host:killed", 1)),),
    Do.FREEZE_HOST: ((0, Act("host:stopped", 1)),),
    Do.THAW_HOST: ((0, Act("host:stopped", 0)),),
    Do.START_HOST: ((0, Act("host:killed", 0)),),
    Do.OPEN_CONTACT_A: ((0, Act("stick:contact_a", 0)),),
    Do.CLOSE_CONTACT_A: ((0, Act("stick:contact_a", FREE)),),
    Do.UNPLUG: ((0, Act("link:unplugged", 1)),),
    Do.PLUG: ((0, Act("link:unplugged", 0)),),
}


class Step(Frozen):
    """`at`: ms from the start."""

    at: Milliseconds
    do: Do


class Load(str, Enum):
    """Of the actuators' supply."""

    ON = "on"
    OFF = "off"


class Expectation(Frozen):
    """Between two moments, in ms, the load is so the whole time. `off` is safety, and holds with
    faults too; `on` is what a robot without faults does."""

    load: Load
    since: Milliseconds = Field(alias="from")
    until: Milliseconds = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.since < self.until:
            raise ValueError(f"from {self.since} to {self.until} is no time")
        return self


class Settings(Frozen):
    """Of the controller, in ms."""

    heartbeat_timeout_ms: Annotated[int, Field(strict=True, ge=40, le=1000)] = 100
    stop_delay_ms: Annotated[int, Field(strict=True, ge=0, le=1000)] = 0


class Scenario(Frozen):
    """`words`: what happens, for a person. `until`: its end, ms. `demand`: when the stop is asked
    for, ms; None: never. `requirements`: those that it bears on. `has_fault`: what happens is a
    fault already, so that campaigns put no second one beside it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
    words: Annotated[str, Field(min_length=1, max_length=500)]
    requirements: tuple[Requirement, ...] = ()
    start: Start = Start.RUN
    settings: Settings = Settings()
    demand: Milliseconds | None = None
    has_fault: bool = False
    steps: tuple[Step, ...] = ()
    expect: tuple[Expectation, ...] = Field(min_length=1)
    until: Milliseconds

    @model_validator(mode="after")
    def _within(self) -> Self:
        for step in self.steps:
            if step.at > self.until:
                raise ValueError(f"step {step.do.value} at {step.at} is after the end")
        for one in self.expect:
            if one.until > self.until:
                raise ValueError(f"what is expected to {one.until} is after the end")
        if not any(one.load is Load.OFF for one in self.expect):
            raise ValueError("nothing is expected to be off: no fault could be found dangerous")
        return self

    def acts(self) -> Iterator[tuple[int, Act]]:
        """All that is done, with its ms."""
        for step in self.steps:
            for after, act in DEEDS[step.do]:
                yield step.at + after, act


def read(path: Path) -> Scenario:
    """Of a file; ScenarioWrong names the file, the field and what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MOST + 1)
    except OSError as error:
        raise ScenarioWrong(f"{path}: {error.strerror}") from None
    if len(data) > SIZE_MOST:
        raise ScenarioWrong(f"{path}: is larger than {SIZE_MOST} bytes")
    try:
        given: Any = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise ScenarioWrong(f"{path}: is no YAML: {str(error).splitlines()[0]}") from None
    try:
        return Scenario.model_validate(given)
    except ValidationError as error:
        raise ScenarioWrong(f"{path}: {first_problem(error)}") from None


def shipped() -> dict[str, Scenario]:
    """Those that come with redbutton, by name."""
    folder = Path(str(resources.files("redbutton.bench").joinpath("scenarios")))
    scenarios = [read(path) for path in sorted(folder.glob("*.yaml"))]
    return {scenario.name: scenario for scenario in scenarios}


def named(name: str) -> Scenario:
    """One that comes with redbutton, or one in a file; ScenarioWrong if there is neither."""
    scenarios = shipped()
    if name in scenarios:
        return scenarios[name]
    if name.endswith((".yaml", ".yml")):
        return read(Path(name))
    raise ScenarioWrong(f"there is no scenario {name}; there are {', '.join(scenarios)}")
