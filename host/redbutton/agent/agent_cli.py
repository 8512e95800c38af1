"""The command `mcp`."""

from pathlib import Path
from typing import Annotated

import typer

from redbutton.errors import MissingTool


def mcp(
    port: Annotated[
        str | None,
        typer.Option(
            "--port",
            "-p",
            help="The controller's port, to find its owner. It is not opened. Default: as for "
            "redbutton run.",
            envvar="REDBUTTON_PORT",
        ),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="The robot's profile. Without one every motion is refused."),
    ] = None,
    http: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Serve http://127.0.0.1:PORT/mcp instead of standard input and output. No other "
            "address can be chosen.",
        ),
    ] = None,
) -> None:
    """Serve the Model Context Protocol: four tools for a language model.

    get_state, request_stop, propose_motion, check_plan. Nothing resets, approves, configures or
    moves. Needs no key and no access to the port; asks the service that owns it (redbutton run,
    or the gate).
    """
    try:
        import anyio
        import mcp as sdk  # noqa: F401
    except ImportError:
        raise MissingTool("no MCP here: pip install 'redbutton[agent]'") from None
    from redbutton import configuration
    from redbutton.agent import server

    if profile is not None:
        from redbutton.checks.profile import load

        load(profile)
    anyio.run(server.serve, port or configuration.load().port, profile, http)


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command(
        epilog="Example: redbutton mcp --profile robot.yaml | redbutton mcp --http 8765",
    )(mcp)
