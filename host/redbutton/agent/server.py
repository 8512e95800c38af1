"""The MCP server: four tools, over stdio or on loopback.

| tool | what |
|---|---|
| get_state | the measured state |
| request_stop | stops, and says when that was measured |
| propose_motion | judges a motion by the robot's profile and the measured state |
| check_plan | judges a plan |

Names and descriptions are constants. What a model sends is data: it is judged, or shown escaped
and cut, and goes nowhere else. There are no prompts and no resources.

A stop request is acted on before anything in it is looked at: a wrong argument, a huge one or a
flood of other questions neither refuses nor delays it (SR-06).
"""

import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import (
    RequestBodyLimitMiddleware,
    TransportSecuritySettings,
)
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redbutton import __version__
from redbutton.agent.answers import StateAnswer, StopAnswer, VerdictAnswer
from redbutton.agent.judge import WAITING_MOST, Judge
from redbutton.agent.pipe import LINE_MOST, STOP, Pipe
from redbutton.checks.request import LONGEST, Command
from redbutton.checks.verdict import Judgement, Verdict, refused, worst
from redbutton.errors import AgentPortTaken
from redbutton.follow import Follow
from redbutton.local import StopRequest
from redbutton.model import Frozen, SafetyState
from redbutton.plain import plain

LOOPBACK = "127.0.0.1"
STOP_TIMEOUT_S = 2.0
JOINING_S = 0.3
TURN_S = 0.1
REASON_MOST = 200
REQUESTS_MOST = WAITING_MOST + 16  # over HTTP, at a time: those that wait to be judged, and some

INSTRUCTIONS = (
    "An emergency-stop controller guards this robot. Ask get_state before you speak of the "
    "robot's state: only what is measured is known. Call request_stop at any doubt; it is never "
    "refused. Nothing here moves the robot, resets, approves or configures: a reset is a person "
    "at the controller, motion goes through the gate."
)

PLAN_NOTE = (
    "Judged, not executed, by the profile and not by what the gate sees now. The gate judges "
    "again (its service estop/check_plan), and only there people can approve what is held."
)
MOTION_NOTE = (
    "Judged, not executed, with pose, people and joints as you gave them: nothing here measured "
    "them. The gate judges again with what it measures, and may refuse. "
)
MOTION_WAY = (
    "To move, publish to the gate's input in the planner's ROS domain: by default "
    "geometry_msgs/msg/Twist on cmd_vel; a trajectory as trajectory_msgs/msg/JointTrajectory on "
    "the topic that the gate's parameters name for one. There is no other way."
)
MOTION_NO_WAY = "Not allowed: the gate would not let it pass."


class Nothing(Frozen):
    """No arguments."""


class Stop(Frozen):
    """Arguments of request_stop. Wrong ones are ignored: it stops all the same."""

    category: int = Field(
        default=0,
        ge=0,
        le=1,
        description="IEC 60204-1: 0 cuts the power at once, 1 lets the robot brake first, "
        "if a stop delay is configured",
    )
    reason: str = Field(default="", description=f"for the record; {REASON_MOST} characters of it")


class Plan(Frozen):
    """Arguments of check_plan."""

    plan: list[str | dict[str, Any]] = Field(
        description='steps in order: lines as "put Cup in Sink", or objects with name, object, '
        "recipient, person, place, parameters, text"
    )
    world: dict[str, Any] | None = Field(default=None, description="what the plan is about")
    text: str | None = Field(
        default=None, description="what you want, in words; can only make the verdict worse"
    )


Arguments = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """What is told of a tool, and what it does."""

    description: str
    takes: type[BaseModel]
    answers: type[BaseModel]
    does: Callable[[Arguments], Awaitable[BaseModel]]
    stops: bool = False


class Tools:
    """The four tools."""

    def __init__(self, port: str | None, profile: Path | None) -> None:
        """`port`: of the controller whose owner is asked. `profile`: of the robot."""
        self.follow = Follow(port)
        self.judge = Judge(profile)
        self._news = anyio.Event()  # set when the owner has told something
        self.all = {
            "get_state": Tool(
                "The robot's state as its emergency-stop controller measured it, and how old that "
                "is. contact false: nothing is known, and the robot may be moving.",
                Nothing,
                StateAnswer,
                self._get_state,
            ),
            "request_stop": Tool(
                "Stop the robot: actuator power is cut and stays off until a person resets. Never "
                "refused. stopped true means that it was measured; if it is false, tell people to "
                "press the red button.",
                Stop,
                StopAnswer,
                self._request_stop,
                stops=True,
            ),
            "propose_motion": Tool(
                "Have a motion judged by the robot's profile and the measured state: a velocity "
                "(linear in m/s, angular in rad/s) or a trajectory of joints (names, points). "
                "Moves nothing.",
                Command,
                VerdictAnswer,
                self._propose_motion,
            ),
            "check_plan": Tool(
                "Have a plan judged for harm, before its first step. Executes nothing.",
                Plan,
                VerdictAnswer,
                self._check_plan,
            ),
        }

    def listed(self) -> list[types.Tool]:
        """As the protocol lists them."""
        return [
            types.Tool(
                name=name,
                description=tool.description,
                input_schema=tool.takes.model_json_schema(),
                output_schema=tool.answers.model_json_schema(mode="serialization"),
                annotations=types.ToolAnnotations(
                    read_only_hint=not tool.stops,
                    destructive_hint=False,
                    idempotent_hint=True,
                    open_world_hint=False,
                ),
            )
            for name, tool in self.all.items()
        ]

    async def watch(self) -> None:
        """Take what the owner tells, for ever."""
        while True:
            self.follow.turn()
            self._news.set()
            self._news = anyio.Event()
            with anyio.move_on_after(TURN_S):
                if self.follow.fileno() >= 0:
                    await anyio.wait_readable(self.follow.fileno())
                else:
                    await anyio.sleep_forever()

    async def call(self, name: str, arguments: Arguments) -> types.CallToolResult:
        """Do what a tool does; what is wrong with the call is one line."""
        tool = self.all.get(name)
        if tool is None:
            return _wrong(f"no such tool: {_short(name)}. There are {', '.join(self.all)}")
        unknown = [key for key in arguments if key not in tool.takes.model_fields]
        if unknown and not tool.stops:
            known = ", ".join(tool.takes.model_fields) or "none"
            return _wrong(f"{name}: unknown argument {_short(unknown[0])}; known are: {known}")
        answer = await tool.does(arguments)
        failed = isinstance(answer, StopAnswer) and not answer.stopped
        return types.CallToolResult(
            content=[types.TextContent(text=answer.model_dump_json())],
            structured_content=answer.model_dump(mode="json"),
            is_error=failed,
        )

    async def _state(self) -> SafetyState:
        """Measured, if it can be had: an owner that was just joined tells it in a moment."""
        with anyio.move_on_after(JOINING_S):
            while not self.follow.state().heard:
                await self._news.wait()
        return self.follow.state()

    async def _get_state(self, arguments: Arguments) -> BaseModel:
        return StateAnswer.of(await self._state())

    def stop(self, arguments: object) -> bool:
        """Request a stop now, whatever the arguments are; whether there was somebody to ask."""
        given = arguments if isinstance(arguments, dict) else {}
        category, reason = given.get("category"), given.get("reason")
        said = plain(reason[:REASON_MOST]) if isinstance(reason, str) else ""
        return self.follow.stop(
            StopRequest(
                category=1 if category == 1 and type(category) is int else 0,
                reason=f"mcp: {said}"[:REASON_MOST],
            )
        )

    async def _request_stop(self, arguments: Arguments) -> BaseModel:
        """What came of the request that `stop` has sent already."""
        begin = time.monotonic()
        requested = bool(arguments["requested"])
        with anyio.move_on_after(STOP_TIMEOUT_S):
            while not self.follow.stopped_since(begin):
                await self._news.wait()
        took = (time.monotonic() - begin) * 1000
        state = self.follow.state()
        measured = self.follow.stopped_since(begin)
        if measured:
            said = f"stopped: both mirror contacts closed, seen {took:.0f} ms after the request"
        else:
            said = (
                f"a stop was {'requested' if requested else 'not even requested'}, and not proven "
                f"in {STOP_TIMEOUT_S:.0f} s: {state.sentence()}. Press the red button"
            )
        return StopAnswer(
            requested=requested,
            stopped=measured,
            seen_after_ms=took if measured else None,
            sentence=said,
            state=StateAnswer.of(state),
        )

    async def _check_plan(self, arguments: Arguments) -> BaseModel:
        return VerdictAnswer.of(await self._judged(arguments), PLAN_NOTE)

    async def _propose_motion(self, arguments: Arguments) -> BaseModel:
        verdict = await self._judged({"command": arguments})
        state = await self._state()
        if not state.running:
            verdict = worst([verdict, refused("state", f"it may not run: {state.sentence()}")])
        allowed = verdict.verdict is Judgement.ALLOW
        return VerdictAnswer.of(verdict, MOTION_NOTE + (MOTION_WAY if allowed else MOTION_NO_WAY))

    async def _judged(self, question: Arguments) -> Verdict:
        try:
            data = json.dumps(question).encode()
        except (ValueError, RecursionError) as error:
            return refused("request.malformed", f"not JSON: {type(error).__name__}")
        if len(data) > LONGEST:
            return refused("request.malformed", f"more than {LONGEST} bytes")
        return await self.judge.judge(data)


def _short(foreign: object) -> str:
    return plain(str(foreign)[:60])


def _wrong(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


def server_of(tools: Tools) -> "Server[Any]":
    """The server that offers these tools, and nothing else."""
    listed = types.ListToolsResult(tools=tools.listed())

    async def on_list_tools(ctx: object, params: object) -> types.ListToolsResult:
        return listed

    async def on_call_tool(
        ctx: object, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await tools.call(params.name, params.arguments or {})

    async def stop_first(
        ctx: "ServerRequestContext[Any, Any]", call_next: CallNext
    ) -> HandlerResult:
        params = ctx.params
        if ctx.method == "tools/call" and params and params.get("name") == "request_stop":
            requested = tools.stop(params.get("arguments"))
            ctx = replace(ctx, params={**params, "arguments": {"requested": requested}})
        return await call_next(ctx)

    server: Server[Any] = Server(
        "redbutton",
        version=__version__,
        instructions=INSTRUCTIONS,
        get_tool_input_schema=lambda name: None,  # no argument comes in a header
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
    )
    server.middleware[:] = [stop_first]
    return server


class _OneLine(logging.Formatter):
    """What a library logs may quote whoever sent it."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))[:1000]


async def serve(port: str | None, profile: Path | None, http_port: int | None) -> None:
    """Until the other end is gone (stdio), or a signal, which becomes KeyboardInterrupt.
    AgentPortTaken if it cannot listen."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("redbutton: %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    listening = None if http_port is None else _listen(http_port)
    tools = Tools(port, profile)
    server = server_of(tools)
    ended = anyio.Event()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(tools.watch)
            group.start_soon(_end, ended, group.cancel_scope)
            await (_over_stdio(server) if listening is None else _over_http(server, listening))
            group.cancel_scope.cancel()
    except Exception:  # a transport that is cut off may raise anything
        if not ended.is_set():
            raise
    finally:
        await tools.judge.close()
        tools.follow.close()
    if ended.is_set():
        raise KeyboardInterrupt


async def _end(ended: anyio.Event, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            ended.set()
            scope.cancel()


async def _over_stdio(server: "Server[Any]") -> None:
    options = server.create_initialization_options()
    # The descriptor of standard output is taken from whatever prints: only answers go there.
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pipe = Pipe(sys.stdin.fileno(), out)
    async with anyio.create_task_group() as group:
        group.start_soon(pipe.read)
        async with stdio_server(pipe, pipe) as (received, sent):  # type: ignore[arg-type]
            await server.run(received, sent, options)
        group.cancel_scope.cancel()


class _Overtaking:
    """So many requests at a time; but a call of request_stop waits for none of them (SR-06)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._room = anyio.Semaphore(REQUESTS_MOST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it; a body comes in one piece."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = [await receive()]

        async def again() -> Message:
            return first.pop() if first else await receive()

        if STOP.search(first[0].get("body", b"")):
            await self._app(scope, again, send)
            return
        async with self._room:
            await self._app(scope, again, send)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise AgentPortTaken(f"cannot listen at {LOOPBACK}:{port}: {error.strerror}") from None
    return listening


async def _over_http(server: "Server[Any]", listening: socket.socket) -> None:
    """Host and Origin of every request are checked: no web page gets in."""
    port = listening.getsockname()[1]
    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
    app = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        max_request_body_size=LINE_MOST,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts]
        ),
    )
    bounded = RequestBodyLimitMiddleware(_Overtaking(app), LINE_MOST)
    config = uvicorn.Config(bounded, log_config=None, access_log=False, lifespan="on", ws="none")
    print(f"redbutton mcp: http://{LOOPBACK}:{port}/mcp", file=sys.stderr, flush=True)
    await uvicorn.Server(config).serve(sockets=[listening])
