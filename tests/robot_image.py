"""An image of a robot's computer on which nothing is set up, for the real tools of systemd."""

import os
import shutil
from pathlib import Path

import pytest

SERIAL = "e6614c311b7e6f2c"
LLM = "llm"  # the planner's user


def make_image(root: Path) -> Path:
    """A `redbutton` in it and a planner's user. Needs root and systemd, never passed over where
    CI is true."""
    absent = [tool for tool in ("systemd-sysusers", "systemctl") if not shutil.which(tool)]
    if absent or os.geteuid() != 0:
        problem = f"{', '.join(absent) or 'root'} is needed (Debian: systemd)"
        if os.environ.get("CI") == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    (root / "opt/redbutton/bin").mkdir(parents=True)
    (root / "opt/redbutton/bin/redbutton").touch(0o755)
    (root / "etc").mkdir()
    passwd = f"root:x:0:0::/:/bin/sh\n{LLM}:x:1001:1001::/:/bin/sh\n"
    (root / "etc/passwd").write_text(passwd)
    (root / "etc/group").write_text(f"root:x:0:\n{LLM}:x:1001:\n")
    return root
