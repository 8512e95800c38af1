"""All checks, in the order in which a person would mend what they find."""

from redbutton.doctor import host, port, setting
from redbutton.doctor.finding import Check, Finding, Verdict, not_checked
from redbutton.doctor.machine import Machine

CHECKS = (
    Check("Python", setting.python),
    Check("system tools", setting.tools),
    Check("user redbutton", setting.user, after=("system tools",)),
    Check("planner's user", setting.planner),
    Check("configuration", setting.host_file, after=("user redbutton",)),
    Check("udev rule", setting.rule, after=("user redbutton",)),
    Check("service", setting.unit, after=("user redbutton",)),
    Check("program", setting.program, after=("service",)),
    Check("key", setting.key_file, after=("user redbutton",)),
    Check("planner and key", setting.planner_and_key, after=("planner's user", "key"), live=True),
    Check("board", port.board, live=True),
    Check("port", port.port, after=("udev rule", "board"), live=True),
    Check("planner and port", port.planner_and_port, after=("planner's user", "port"), live=True),
    Check("USB sleep", port.autosuspend, after=("udev rule", "board"), live=True),
    Check("port grabbers", port.grabbers, live=True),
    Check("provisioned", setting.provisioned, after=("key",)),
    Check("service runs", port.service, after=("service",)),
    Check("owner", port.owner, after=("port",), live=True),
    Check("socket", port.socket, after=("owner",), live=True),
    Check("controller", port.controller, after=("port", "provisioned"), live=True),
    Check("ROS domains", host.ros),
    Check("ROS security", host.keystore),
    Check("operators", host.operators),
    Check("clock", host.clock, live=True),
    Check("monotonic clock", host.monotonic, live=True),
    Check("processor", host.processor, live=True),
    Check("governor", host.governor, live=True),
    Check("real time", host.real_time, live=True),
    Check("disk", host.disk, after=("user redbutton",), live=True),
)


def examine(machine: Machine) -> dict[str, Finding]:
    """What each check finds. One that would only repeat another's problem is not made."""
    findings: dict[str, Finding] = {}
    for check in CHECKS:
        first = next(
            (name for name in check.after if findings[name].verdict is not Verdict.OK), None
        )
        if check.live and not machine.live:
            findings[check.name] = not_checked("an image does not run: look on the robot")
        elif first is not None:
            findings[check.name] = not_checked(f"first: {first}")
        else:
            findings[check.name] = check.look(machine)
    return findings


def next_command(findings: dict[str, Finding]) -> str | None:
    """The one thing to do now: of the first problem, else of the first that could be checked."""
    for verdict in (Verdict.PROBLEM, Verdict.NOT_CHECKED):
        for finding in findings.values():
            if finding.verdict is verdict and finding.mend:
                return finding.mend
    return None
