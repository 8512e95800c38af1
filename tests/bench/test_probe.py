"""The commands of a rig, and what the probe does when nobody speaks to it any more."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import one_line, redbutton
from virtual_rig import Bench, slow_host_killed

from redbutton.bench import report
from redbutton.bench.campaign import Campaign, Store, firmware_digest
from redbutton.bench.means import OPERATION
from redbutton.bench.probe import Probe
from redbutton.bench.real import RealRig, run
from redbutton.bench.run import Outcome, Plan, Result
from redbutton.bench.selftest import Selftest
from redbutton.errors import NoContact, WrongBoard
from redbutton.firmware import wire
from redbutton.firmware.probe import protocol
from redbutton.link import SerialLink
from redbutton.virtual import probe as virtual_probe
from redbutton.virtual.board import RealTimeBoard
from redbutton.virtual.hands import Fingers, Hands, hands_path
from redbutton.virtual.probe import VirtualProbe

RELEASED_S = 2.5
CLI_S = 90


# --- commands


def test_the_command_refuses_with_an_exit_code(bench: Bench) -> None:
    said = redbutton(
        *("bench", "run", "button", "--fault", "chip.hangs@100", *bench.options()), timeout=CLI_S
    )
    assert said.returncode == 47
    assert "neither the probe nor software can cause that" in one_line(said)


def test_a_selftest_that_fails_ends_with_its_exit_code_and_the_wire(bench: Bench) -> None:
    bench.wired.wire(["short", "sense.load"])
    try:
        said = redbutton("bench", "selftest", *bench.options(), timeout=CLI_S)
    finally:
        bench.wired.wire(["mend"])
    assert said.returncode == 46
    assert "sense load (X5.2-X5.3, GPIO7)" in one_line(said)


# --- without a probe


@pytest.mark.requirement("SR-04", "SR-21")
def test_without_a_probe_the_mirror_contacts_are_believed_and_it_is_said(bench: Bench) -> None:
    """A person presses the reset button when asked to."""
    with (
        Probe(str(bench.probe)) as person,  # the harness is there, so a person is the probe
        RealRig(str(bench.port), bench.key_file, None) as rig,
    ):
        for output, state in OPERATION.items():
            person.act(output, state)

        def press(text: str) -> None:
            assert "press the reset button" in text
            person.act("reset", "pressed")
            person.wait(0.3)
            person.act("reset", "open")

        turn = rig.turn
        rig.turn = lambda: (person.turn(), turn())[1]  # type: ignore[method-assign]
        rig.say = press
        result, trace = run(rig, slow_host_killed(), Plan(scenario="slow-host-killed"))
    assert result.outcome is Outcome.IN_TIME
    assert "measured by the controller, no probe" in result.words
    assert {moment.signal for moment in trace} == {"load", "state"}


def test_without_a_probe_a_scenario_of_people_is_refused(bench: Bench) -> None:
    options = bench.options(probe=False)
    said = redbutton("bench", "run", "button", *options, timeout=CLI_S)
    assert said.returncode == 47
    assert "without a probe" in one_line(said)


def test_a_probe_without_a_port_is_a_mistake() -> None:
    said = redbutton("bench", "run", "button", "--probe", "/dev/null", timeout=CLI_S)
    assert said.returncode == 2
    assert "--port" in said.stderr


# --- the probe lets go


def closed(bench: Bench) -> bool:
    """Whether any contact is closed that a person or a supply would close."""
    return any(bench.board.values[name] for name in ("contact_a", "contact_b", "supply"))


def released(bench: Bench) -> bool:
    """Whether it came to be that none is."""
    end = time.monotonic() + RELEASED_S
    while closed(bench) and time.monotonic() < end:
        time.sleep(0.02)
    return not closed(bench)


def close(board: RealTimeBoard, probe: Probe) -> None:
    """Close a contact, and see that it is."""
    probe.act("contact_a", "closed")
    end = time.monotonic() + CLI_S
    while not board.values["contact_a"] and time.monotonic() < end:
        probe.wait(0.05)
    assert board.values["contact_a"]


HOLD = """
import sys, time
from redbutton.bench.means import OPERATION
from redbutton.bench.probe import Probe
probe = Probe(sys.argv[1])
for output, state in (("supply", "on"), ("contact_a", "closed"), ("contact_b", "closed")):
    probe.act(output, state)
print("held", flush=True)
while True:
    probe.wait(0.1)
"""


@pytest.mark.requirement("SR-02")
def test_the_probe_lets_go_when_its_host_is_killed(bench: Bench) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(bench.probe)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    with holder:
        assert holder.stdout.readline() == "held\n"
        time.sleep(1.5)  # longer than a silent host is waited for
        assert closed(bench)
        holder.send_signal(signal.SIGKILL)
    assert released(bench)


def test_garbage_and_frames_of_others_are_no_host(bench: Bench) -> None:
    with Probe(str(bench.probe)) as probe:
        close(bench.board, probe)
        end = time.monotonic() + RELEASED_S
        while bench.board.values["contact_a"] and time.monotonic() < end:
            probe._link.write(os.urandom(40) + wire.encode(wire.ASK_HELLO, 1, b""))
            time.sleep(0.05)
        assert not bench.board.values["contact_a"]


def test_the_probe_lets_go_when_its_firmware_fails_or_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: bytes
) -> None:
    files = virtual_probe.files()
    broken = files["probe.py"].replace(
        b"def _tell_trace(self, first: int) -> None:",
        b"def _tell_trace(self, first: int) -> None:\n        raise MemoryError",
    )
    assert broken != files["probe.py"]
    monkeypatch.setattr(virtual_probe, "files", lambda: files | {"probe.py": broken})
    with RealTimeBoard(key, tmp_path / "b") as board, VirtualProbe(board, tmp_path / "p") as wired:
        with Probe(str(tmp_path / "p")) as probe:
            close(board, probe)
            begun = time.monotonic()
            probe._send(protocol.ASK_TRACE, b"\0\0")
            assert wired._process.wait(CLI_S) == 1
        wired._listener.join(CLI_S)
        assert board.wait_change("contact_a", 0, begun, CLI_S)


# --- nothing takes it for a controller, and it takes no controller for a probe


@pytest.mark.requirement("SR-21", "SR-23")
@pytest.mark.parametrize("command", ["run", "flash"])
def test_no_command_takes_the_probe_for_a_controller(bench: Bench, command: str) -> None:
    keys = ["--key-file", str(bench.key_file)] if command == "run" else []
    said = redbutton(command, "--port", str(bench.probe), *keys, timeout=CLI_S)
    assert said.returncode not in (0, 1)
    assert "the bench's probe, no controller" in one_line(said)


def test_a_controller_is_no_probe(bench: Bench) -> None:
    with pytest.raises(WrongBoard, match="is a controller"):
        Probe(str(bench.port))
    SerialLink(str(bench.port)).close()  # it was given up again


def test_a_probe_with_another_pin_map_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redbutton.bench.probe.MAP", b"another.")
    with pytest.raises(WrongBoard, match="another pin map"):
        Probe(str(bench.probe))


def test_a_port_on_which_nothing_speaks_is_no_probe(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        with pytest.raises(NoContact, match="no probe is heard"):
            Probe(os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)


def test_the_probes_files_are_written_for_whoever_installs_it(tmp_path: Path) -> None:
    said = redbutton("bench", "probe-firmware", str(tmp_path / "files"), timeout=CLI_S)
    assert said.returncode == 0
    written = {file.name: file.read_bytes() for file in (tmp_path / "files").iterdir()}
    assert written == virtual_probe.files()
    assert "mpremote" in said.stdout


def test_a_campaign_proves_the_rig_and_keeps_what_it_could_not_cause(
    bench: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["bench", "campaign", "--out", str(out), "--limit", "1", "--pairs", "0", "--json"]
    said = redbutton(*command, *bench.options(), timeout=CLI_S)
    assert said.returncode == 0, said.stderr
    summary = json.loads(said.stdout)
    assert summary["clock"] == "real"
    assert any(line.startswith("chip.hangs:") for line in summary["not_caused"])
    assert any("has 500" in line for line in summary["not_caused"])  # provisioned otherwise
    found = Selftest.model_validate_json((out / "selftest.json").read_text())
    assert not found.wrong
    assert found.path_ms and found.path_ms[0] <= found.path_ms[1]
    assert found.silence_ms and 900 <= found.silence_ms <= 1600


def test_a_report_says_that_its_runs_were_real(tmp_path: Path) -> None:
    result = Result(
        plan=Plan(scenario="button"), outcome=Outcome.IN_TIME, words="as it should be",
        stop_ms=4.2, digest="", clock="real",
    )  # fmt: skip
    firmware = f"{firmware_digest()} on a controller, timed by the probe"
    Store(tmp_path, Campaign(firmware=firmware)).add(result)
    found = report.gather(tmp_path)
    assert dict(found.versions())["clock"] == "real"
    assert "in real time, on a controller on a port" in found.setting
    assert found.timelines == []  # a replay would be another run


def test_fingers_can_make_a_wire_wrong_too(bench: Bench, runtime_folder: Path) -> None:
    from redbutton.virtual.console import command

    path = hands_path(str(runtime_folder / "port"))
    with Hands(path, lambda words: command(bench.board, words, bench.wired)):
        fingers = Fingers(path)
        said: list[str] = []
        for words in ("cut sense.nosuch", "cut sense.load", "mend"):
            fingers.do(words)
        end = time.monotonic() + 5
        while len(said) < 3 and time.monotonic() < end:
            said += fingers.answers()
            time.sleep(0.01)
        fingers.close()
    assert said[0].startswith("no such wire: sense.nosuch")
    assert said[1:] == ["done", "done"]
