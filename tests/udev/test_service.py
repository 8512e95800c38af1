"""The service and its surroundings, as systemd's own tools see the files that are installed."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from fake_machine import missing

from redbutton.install import steps
from redbutton.install.layout import Layout, template

PROGRAM = Path("/usr/bin/true")  # verify wants one that is there
EXPOSURE_MOST = 10  # tenths, of systemd-analyze security: SAFE; it knows no lower word
NAMES = ["redbutton", "redbutton-arm-2"]


def tool(*command: str) -> "subprocess.CompletedProcess[str]":
    """What one of systemd's tools says."""
    if not shutil.which(command[0]):
        missing(f"{command[0]} not found (Debian: systemd)")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def unit(folder: Path, name: str = "redbutton") -> Path:
    """The service as it is installed."""
    file = folder / f"{name}.service"
    file.write_text(steps.service(Layout(name), PROGRAM))
    return file


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong_in_the_service(tmp_path: Path, name: str) -> None:
    verified = tool("systemd-analyze", "verify", "--man=no", str(unit(tmp_path, name)))
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("WatchdogSec=5", "WatchdogSec=soon"),
        ("ProtectSystem=strict", "ProtectSystm=strict"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@sistem-service"),
        ("ExecStart=/usr/bin/true", "ExecStart=/usr/bin/no-such-program"),
    ],
)
def test_systemd_would_find_what_is_wrong(tmp_path: Path, right: str, wrong: str) -> None:
    file = unit(tmp_path)
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong))
    verified = tool("systemd-analyze", "verify", "--man=no", str(file))
    assert verified.returncode or verified.stderr


@pytest.mark.requirement("SR-25")
def test_the_service_is_exposed_to_little(tmp_path: Path) -> None:
    judged = tool(
        *("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MOST}"),
        str(unit(tmp_path)),
    )
    assert judged.returncode == 0, judged.stdout


def test_each_hardening_counts(tmp_path: Path) -> None:
    """So that the bound above is no bound that everything keeps."""
    file = unit(tmp_path)
    file.write_text(re.sub("(?m)^(ProtectSystem|PrivateNetwork).*\n", "", file.read_text()))
    judged = tool(
        *("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MOST}"),
        str(file),
    )
    assert judged.returncode != 0, judged.stdout


def test_what_a_person_must_mend_is_not_tried_again_and_again(tmp_path: Path) -> None:
    """The exit codes in the unit are those of the errors that are meant."""
    from redbutton import errors

    found = re.search("^RestartPreventExitStatus=(.*)$", unit(tmp_path).read_text(), re.MULTILINE)
    assert found
    assert [int(code) for code in found[1].split()] == [
        errors.PortMissing.exit_code,
        errors.VersionMismatch.exit_code,
        errors.WrongKey.exit_code,
        errors.KeyUnreadable.exit_code,
        errors.AttestationFailed.exit_code,
        errors.ConfigurationWrong.exit_code,
        errors.PlannerUnitWrong.exit_code,
    ]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_started_by_the_boards_own_device(tmp_path: Path, name: str) -> None:
    """systemd-escape says what a device's unit is called, systemctl where the start hangs."""
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    unit(folder, name)
    enabled = tool("systemctl", f"--root={tmp_path}", "enable", f"{name}.service")
    assert enabled.returncode == 0, enabled.stderr
    escaped = tool("systemd-escape", "--path", "--suffix=device", f"/dev/{name}")
    [link] = folder.glob("*.wants/*")
    assert link.name == f"{name}.service"
    assert link.parent.name == f"{escaped.stdout.strip()}.wants"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What systemd-sysusers and systemd-tmpfiles make of the files, in a root of its own."""
    for tool_name, options in (("sysusers", []), ("tmpfiles", ["--create"])):
        folder = tmp_path / f"etc/{tool_name}.d"
        folder.mkdir(parents=True)
        file = folder / "redbutton.conf"
        file.write_text(template(f"{tool_name}.conf"))
        made = tool(f"systemd-{tool_name}", *options, f"--root={tmp_path}", str(file))
        assert made.returncode == 0, made.stderr
    return tmp_path


def test_the_user_cannot_log_in(image: Path) -> None:
    [line] = [one for one in (image / "etc/passwd").read_text().splitlines() if "redbutton" in one]
    name, _, number, group, _, home, shell = line.split(":")
    assert (name, home, shell) == ("redbutton", "/var/lib/redbutton", "/usr/sbin/nologin")
    assert 0 < int(number) < 1000 and number == group  # a system user
    [secret] = [one for one in (image / "etc/shadow").read_text().splitlines() if name in one]
    assert secret.split(":")[1].startswith("!")


@pytest.mark.parametrize(
    ("folder", "mode", "redbuttons"),
    [
        pytest.param("run/redbutton", 0o755, True, id="sockets: all may enter, one may change"),
        pytest.param("var/lib/redbutton", 0o750, True, id="the record"),
        pytest.param("etc/redbutton", 0o750, False, id="keys: root's"),
    ],
)
def test_the_folders(image: Path, folder: str, mode: int, redbuttons: bool) -> None:
    found = (image / folder).stat()
    user = (image / "etc/passwd").read_text().split("redbutton:x:")[1].split(":")[0]
    assert stat.S_IMODE(found.st_mode) == mode
    assert found.st_uid == (int(user) if redbuttons else 0)
    assert found.st_gid == int(user)
