"""The probe is a board of its own: its files are packaged, and never a controller's."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import sizes

from redbutton import attestation, manifest
from redbutton.firmware import decide, wire
from redbutton.firmware.probe import harness, protocol
from redbutton.virtual.probe import files

ROOT = Path(__file__).parents[2]
PROBE = Path(decide.__file__).parent / "probe"
FILES = sorted(PROBE.glob("*.py"))


@pytest.mark.requirement("SR-23")
def test_no_file_of_the_probe_is_measured_flashed_or_signed_as_a_controllers(
    tmp_path: Path,
) -> None:
    ours = {file.name: file.read_bytes() for file in sorted(PROBE.parent.glob("*.py"))}
    assert attestation.files() == ours
    assert set(manifest.build(tmp_path, None).files) == set(ours)
    assert not [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {file.name for file in FILES} & set(ours) == {"main.py"}
    assert attestation.files()["main.py"] != files()["main.py"]


def test_a_probe_gets_its_own_files_and_the_controllers_frames() -> None:
    assert set(files()) == {file.name for file in FILES} | {"wire.py"}
    assert files()["wire.py"] == attestation.files()["wire.py"]


def test_what_a_probe_imports_is_on_it_or_in_micropython() -> None:
    known = {name.removesuffix(".py") for name in files()}
    builtin = {"array", "hashlib", "machine", "rp2", "select", "struct", "sys", "time", "typing"}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module != "rp2.asm_pio":
                names = [node.module or ""]
            assert set(names) <= known | builtin, file.name


def test_the_wheel_carries_the_probes_files(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in FILES:
        assert f"redbutton/firmware/probe/{file.name}" in names
    assert "redbutton/virtual/probe_shim/machine.py" in names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_mpy_cross_takes_every_file(file: Path) -> None:
    assert sizes.bytecode(file).startswith(b"M\x06")


@pytest.mark.requirement("SR-17", "SR-21")
def test_no_frame_of_the_probes_has_a_kind_of_a_controllers() -> None:
    controllers = {wire.HELLO, wire.STATUS, wire.EVENT, wire.ATTEST, wire.JOURNAL, wire.ASK_HELLO}
    controllers |= {wire.HEARTBEAT, wire.STOP, wire.STANDSTILL, wire.ASK_ATTEST, wire.ASK_JOURNAL}
    probes = {*protocol.TO_PROBE, *protocol.FROM_PROBE}
    assert len(probes) == len(protocol.TO_PROBE) + len(protocol.FROM_PROBE)
    assert not controllers & probes


@pytest.mark.requirement("SR-01")
def test_with_every_pin_low_all_that_could_hold_a_robot_running_is_open() -> None:
    """As while the probe is reset, unplugged or without a host."""
    released = {
        name: next(state for state, high in states if not high)
        for name, states, _ in harness.OUTPUTS
    }
    assert released == {
        "contact_a": "open",
        "contact_b": "open",
        "reset": "open",
        "key": "operation",
        "mirror_1": "open",
        "mirror_2": "open",
        "supply": "off",
        "board": "on",
        "usb": "plugged",
    }
