"""The environment that `make` makes is one, whoever calls it."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "environment.py"
KEY = f"import runpy; print(runpy.run_path({str(SCRIPT)!r})['venv_key'](True))"


def key_by(interpreter: Path) -> str:
    return subprocess.run(
        [interpreter, "-I", "-c", KEY], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="there is no virtual environment")
def test_make_in_an_activated_environment_does_not_make_it_again() -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    names = [Path(sys.prefix, "bin", "python3"), Path(sys.base_prefix, "bin", "python3")]
    names.append(Path(sys.base_prefix, "bin", version))
    assert len({key_by(name) for name in names if name.exists()}) == 1


def test_where_there_is_no_fuzzer_it_says_so_in_one_line() -> None:
    code = (
        f"import platform, runpy; main = runpy.run_path({str(SCRIPT)!r})['main'];"
        "platform.machine = lambda: 'aarch64';"
        "raise SystemExit(main(['exec', '--fuzz', '--', 'true']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Python 3.10 to 3.14 on x86_64 Linux" in done.stderr
    assert done.stderr.count("\n") == 1
