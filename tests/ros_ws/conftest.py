"""The package's folders, and launch files carried out with the stand-in."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import launch_stand_in
from launch_stand_in import PACKAGE, Launch


@pytest.fixture
def ros_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ROS keeps what it writes, instead of ~/.ros."""
    home = tmp_path / "ros_home"
    monkeypatch.setenv("ROS_HOME", str(home))
    return home


@pytest.fixture
def launch(ros_home: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """`launch("gate", port="/dev/x")`: the launch file with these arguments, carried out."""
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)

    def run(file: str | Path, **arguments: str) -> launch_stand_in.LaunchContext:
        path = file if isinstance(file, Path) else PACKAGE / "launch" / f"{file}.launch.py"
        return launch_stand_in.run(path, arguments)

    return run


@pytest.fixture
def without_tools(tmp_path: Path) -> dict[str, str]:
    """An environment with a shell's own commands and nothing of ROS."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for command in ("cat", "cp", "dirname", "ln", "mkdir", "sh", "sleep", "touch"):
        for folder in os.defpath.split(":"):
            if (Path(folder) / command).exists():
                (bin_folder / command).symlink_to(Path(folder) / command)
                break
    return {"PATH": str(bin_folder)}
