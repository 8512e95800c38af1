"""A robot, and the agent interface as a language model's host starts it."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import anyio
import mcp
import pytest
from mcp.client.stdio import StdioServerParameters
from robot import Robot, robot_in_own_folder

from redbutton.checks.profile import EXAMPLES

PROFILE = EXAMPLES / "mobile_base.yaml"

PATIENCE_S = 60

Connect = Callable[[], mcp.Client]


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    """A board and its service; each test brings it into the state that it needs."""
    with robot_in_own_folder() as robot:
        yield robot


def command(port: Path, *more: str) -> list[str]:
    """The agent interface for a controller."""
    return ["-m", "redbutton.cli", "mcp", "-p", str(port), "--profile", str(PROFILE), *more]


def over_stdio(port: Path, environment: dict[str, str]) -> StdioServerParameters:
    """As it is started by a host of models."""
    return StdioServerParameters(command=sys.executable, args=command(port), env=environment)


class Http:
    """A server on loopback."""

    def __init__(self, port: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command(port, "--http", "0")],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stderr
        self.url = self.process.stderr.readline().split()[-1]
        assert self.url.startswith("http://127.0.0.1:")

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


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


def asked(connect: Connect, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """What came of calls, one after the other."""

    async def all_of_them(client: mcp.Client) -> list[Any]:
        return [await client.call_tool(name, arguments) for name, arguments in calls]

    return with_client(connect, all_of_them)


def with_client(connect: Connect, do: Callable[[mcp.Client], Awaitable[Any]]) -> Any:
    """What a conversation gives."""

    async def conversation() -> Any:
        async with connect() as client:
            return await do(client)

    return anyio.run(conversation)


def said(result: Any) -> dict[str, Any]:
    """The structured answer; its text says the same."""
    answer = dict(result.structured_content)
    assert json.loads(result.content[0].text) == answer
    return answer
