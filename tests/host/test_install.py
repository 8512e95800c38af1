"""`redbutton install` on an image, with the real tools of systemd."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from robot_image import SERIAL, make_image
from typer.testing import CliRunner

from redbutton import __version__, configuration
from redbutton.cli import app
from redbutton.errors import InstallRefused, RedbuttonError
from redbutton.install import install_cli, seal, steps
from redbutton.install.layout import Layout
from redbutton.install.users import Users

FILES = {
    "etc/sysusers.d/redbutton.conf",
    "etc/tmpfiles.d/redbutton.conf",
    "etc/udev/rules.d/70-redbutton.rules",
    "etc/systemd/system/redbutton.service",
    "etc/redbutton/host.yaml",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with a `redbutton` in it, a planner's user, and nothing set up."""
    return make_image(tmp_path)


def install(image: Path, *options: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, what was said, and complaints."""
    program = ["--program", "/opt/redbutton/bin/redbutton", "--serial", SERIAL]
    arguments = ["install", "--root", str(image), "--json", *program, *options]
    result = CliRunner().invoke(app, arguments)
    said = [json.loads(line) for line in result.stdout.splitlines()]
    if isinstance(result.exception, RedbuttonError):
        return result.exception.exit_code, said, str(result.exception)
    assert result.exception is None, result.exception
    return result.exit_code, said, ""


def files(image: Path) -> dict[str, str]:
    """Every file in the image, and its content."""
    return {
        str(file.relative_to(image)): file.read_text()
        for file in image.rglob("*")
        if file.is_file() and not file.is_symlink()
    }


def test_everything_is_installed(image: Path) -> None:
    code, _, complaints = install(image, "--planner-user", "llm")
    assert (code, complaints) == (0, "")
    assert set(files(image)) >= FILES
    user = Users(image).find("redbutton")
    assert user is not None
    assert (image / "run/redbutton").stat().st_uid == user.uid
    assert list((image / "etc/systemd/system/dev-redbutton.device.wants").iterdir())
    host = image / "etc/redbutton/host.yaml"
    assert configuration.load(host).planner.user == "llm"
    assert stat.S_IMODE(host.stat().st_mode) == 0o640
    assert host.stat().st_gid == user.gid
    assert (
        "/opt/redbutton/bin/redbutton --no-color run"
        in files(image)["etc/systemd/system/redbutton.service"]
    )


def test_the_configuration_is_one_from_the_start(image: Path) -> None:
    install(image)
    found = configuration.load(image / "etc/redbutton/host.yaml")
    assert found == configuration.HostConfiguration()


def test_a_second_time_changes_nothing(image: Path) -> None:
    install(image)
    before = files(image)
    code, said, _ = install(image)
    assert code == 0
    assert files(image) == before
    assert not any("write" in line["step"] for line in said if line.get("done"))


def test_a_dry_run_shows_everything_and_does_nothing(image: Path) -> None:
    before = files(image)
    code, said, _ = install(image, "--dry-run")
    assert code == 0
    assert files(image) == before
    shown = "\n".join(line["step"] + line["detail"] for line in said)
    assert all(f"{image}/{file}" in shown for file in FILES)
    assert SERIAL in shown and "systemd-sysusers" in shown and "WatchdogSec" in shown


@pytest.mark.parametrize("file", sorted(FILES - {"etc/redbutton/host.yaml"}))
def test_what_people_changed_is_not_touched_without_force(image: Path, file: str) -> None:
    install(image)
    changed = (image / file).read_text() + "# mine\n"
    (image / file).write_text(changed)
    before = files(image)
    code, said, complaint = install(image)
    assert code == InstallRefused.exit_code
    assert file in complaint and "changed by hand" in complaint and "\n" not in complaint
    assert said == [] and files(image) == before  # nothing was begun
    code, said, _ = install(image, "--force", "--dry-run")
    assert any("-# mine" in line["detail"] for line in said)
    assert install(image, "--force")[0] == 0
    assert "# mine" not in (image / file).read_text()


def test_a_file_of_an_older_version_is_replaced(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(image)
    file = image / "etc/tmpfiles.d/redbutton.conf"
    with monkeypatch.context() as old:
        old.setattr(seal, "__version__", "0.0.9")
        file.write_text(seal.seal("d /run/redbutton 0700 redbutton redbutton -\n"))
    assert install(image)[0] == 0
    assert f"install` {__version__}," in file.read_text()
    assert "0755" in file.read_text()


def test_the_configuration_and_the_key_are_never_written_again(image: Path) -> None:
    install(image)
    mine = {"etc/redbutton/host.yaml": "port: /dev/mine\n", "etc/redbutton/key": "f" * 64}
    for file, content in mine.items():
        (image / file).write_text(content)
    assert install(image, "--force")[0] == 0
    assert {name: files(image)[name] for name in mine} == mine


def test_a_second_board_has_its_own_files(image: Path) -> None:
    install(image)
    before = files(image)
    other = SERIAL[:-1] + "d"
    assert install(image, "--name", "redbutton-arm", "--serial", other)[0] == 0
    new = files(image)
    assert {name: text for name, text in new.items() if name in before} == before
    assert {name for name in new if "arm" in name} == {
        "etc/udev/rules.d/70-redbutton-arm.rules",
        "etc/systemd/system/redbutton-arm.service",
        "etc/redbutton/host-arm.yaml",
    }
    assert "key:/etc/redbutton/key-arm" in new["etc/systemd/system/redbutton-arm.service"]


def test_uninstalling_leaves_what_is_a_persons(image: Path) -> None:
    install(image)
    install(image, "--name", "redbutton-arm")
    assert install(image, "--uninstall", "--name", "redbutton-arm")[0] == 0
    assert set(files(image)) >= FILES  # the other board's
    assert install(image, "--uninstall")[0] == 0
    left = {name for name in files(image) if "redbutton" in name}
    assert left == {
        "etc/redbutton/host.yaml",
        "etc/redbutton/host-arm.yaml",
        "opt/redbutton/bin/redbutton",
    }
    assert not list((image / "etc/systemd/system").rglob("redbutton*"))
    assert Users(image).find("redbutton") is not None


def test_uninstalling_does_not_remove_what_people_changed(image: Path) -> None:
    install(image)
    unit = image / "etc/systemd/system/redbutton.service"
    unit.write_text(unit.read_text() + "# mine\n")
    before = files(image)
    code, _, complaint = install(image, "--uninstall")
    assert code == InstallRefused.exit_code and "changed by hand" in complaint
    assert files(image) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--planner-user", "nobody-here"], "no user nobody-here"),
        (["--planner-user", "root"], "cannot run as root"),
        (["--program", "/home/me/.venv/bin/redbutton"], "in somebody's home"),
        (["--program", "/opt/nothing"], "no .*/opt/nothing"),
        (["--serial", "abc"], "16 hexadecimal digits"),
        (["--name", "arm"], "named redbutton or like redbutton-arm"),
    ],
)
def test_what_may_not_be_is_one_line(image: Path, options: list[str], words: str) -> None:
    before = files(image)
    code, said, complaint = install(image, *options)
    assert code in (InstallRefused.exit_code, RedbuttonError.exit_code)
    assert re.search(words, complaint) and "\n" not in complaint
    assert said == [] and files(image) == before


@pytest.mark.requirement("SR-25")
def test_a_planner_in_redbuttons_group_is_refused(image: Path) -> None:
    install(image)
    group = image / "etc/group"
    lines = group.read_text().splitlines()
    joined = [line + "llm" if line.startswith("redbutton:") else line for line in lines]
    group.write_text("\n".join(joined) + "\n")
    code, _, complaint = install(image, "--planner-user", "llm")
    assert code == InstallRefused.exit_code
    assert "llm is in the group redbutton" in complaint


def test_only_root_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InstallRefused, match="only root may install"):
        install_cli.install(serial=SERIAL)


def test_a_key_is_made_and_is_roots_alone(image: Path) -> None:
    """Not in an image, which may become many robots."""
    layout = Layout(root=image)
    layout.key_file.parent.mkdir(parents=True)
    step = steps._key(layout, image=False)
    assert step.act is not None
    step.act()
    assert stat.S_IMODE(layout.key_file.stat().st_mode) == 0o600
    assert len(bytes.fromhex(layout.key_file.read_text())) == 32
    assert steps._key(layout, image=False).act is None
    assert steps._key(Layout("redbutton-arm", image), image=True).act is None
