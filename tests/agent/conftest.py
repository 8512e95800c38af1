"""A robot, and the agent interface of it."""

from collections.abc import Iterator
from typing import cast

import mcp
import pytest
from model_host import PATIENCE_S, Connect, Http, over_stdio
from robot import Robot, robot_in_own_folder


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    """A board and its service; each test brings it into the state that it needs."""
    with robot_in_own_folder() as robot:
        yield robot


@pytest.fixture(scope="module")
def http(robot: Robot) -> Iterator[Http]:
    """A server of that robot."""
    server = Http(robot.port, robot.environment)
    yield server
    server.close()


@pytest.fixture
def connect(http: Http) -> Connect:
    """The official client over HTTP, whose server is there already."""
    return lambda: mcp.Client(http.url, read_timeout_seconds=PATIENCE_S)


@pytest.fixture(params=["stdio", "http"])
def either(request: pytest.FixtureRequest, robot: Robot) -> Connect:
    """The official client, over each transport."""
    if request.param == "http":
        return cast(Connect, request.getfixturevalue("connect"))
    server = over_stdio(robot.port, robot.environment)
    return lambda: mcp.Client(server, read_timeout_seconds=PATIENCE_S)
