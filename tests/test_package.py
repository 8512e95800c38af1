"""What is in the wheel and the source distribution, and that the wheel is all that is needed."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from redbutton import __version__

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "host"
UNWANTED = {"mypy.ini", "README.md"}  # of firmware/: how it is checked, not what runs


def built(source: Path, kind: str, folder: Path) -> Path:
    """The one file that a build makes, without the index."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [made] = folder.iterdir()
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    """Of the package in a wheel."""
    with zipfile.ZipFile(wheel) as opened:
        return {n: opened.read(n) for n in opened.namelist() if n.startswith("redbutton/")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of this tree."""
    return built(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


def source_files() -> dict[str, bytes]:
    """Of the package in this tree, links followed."""
    return {
        str(Path(folder, name).relative_to(SOURCE)): Path(folder, name).read_bytes()
        for folder, _, names in os.walk(SOURCE / "redbutton", followlinks=True)
        for name in names
        if "__pycache__" not in folder and "cache" not in Path(folder).name
    }


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    source = source_files()
    for kind in ("firmware/main.py", "install/redbutton.service", "install/70-redbutton.rules"):
        assert f"redbutton/{kind}" in source
    assert [name for name in source if name.startswith("redbutton/bench/scenarios/")]
    assert [name for name in source if name.startswith("redbutton/checks/profiles/")]
    packed = contents(wheel)
    assert {name for name in source if Path(name).name not in UNWANTED} <= set(packed)
    assert [name for name, content in packed.items() if content != source[name]] == []


def test_it_holds_no_compiled_code(wheel: Path) -> None:
    assert wheel.name == f"redbutton-{__version__}-py3-none-any.whl"


def test_the_wheel_of_the_source_distribution_is_the_same(wheel: Path, tmp_path: Path) -> None:
    for name in ("sdist", "tree", "again"):
        (tmp_path / name).mkdir()
    with tarfile.open(built(ROOT, "sdist", tmp_path / "sdist")) as packed:
        packed.extractall(tmp_path / "tree", filter="data")
    [tree] = (tmp_path / "tree").iterdir()
    assert contents(built(tree, "wheel", tmp_path / "again")) == contents(wheel)


def test_command_line_and_installer_run_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """Unpacked, with the other packages of this environment, and far from this tree."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import redbutton, redbutton.cli\n"
        "assert redbutton.__file__.startswith(sys.path[0]), redbutton.__file__\n"
        "redbutton.cli.main()"
    )

    def run(*arguments: str) -> str:
        command = [sys.executable, "-I", "-c", code, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").startswith(f"redbutton {__version__},")
    program = ["--program", sys.executable, "--serial", "e6614c311b7e6f2c"]
    if Path(sys.executable).is_relative_to("/home") or Path(sys.executable).is_relative_to(
        "/root"
    ):
        program[1] = "/bin/sh"
    shown = run("install", "--dry-run", *program)
    assert "WatchdogSec" in shown and "SYMLINK" in shown
