#!/usr/bin/env python3
"""Make everything that redbutton's tests and demo need, once, and run commands in it.

    python3 .ci/environment.py                  make what is missing or out of date
    python3 .ci/environment.py exec -- CMD...   the same, then run CMD there
    python3 .ci/environment.py exec --fuzz -- CMD...   the same, with the fuzzer beside it

It makes `.venv` from the pinned lists in `.ci/locks`, installs this repository into it, and builds
`ros_ws` with colcon. Each step leaves a stamp in `.venv`; a step whose inputs have not changed is
skipped. Only Python's standard library is used here.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import html
import json
import os
import platform
import re
import shutil
import signal
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / ".redbutton"
LOCKS = ROOT / ".ci" / "locks"
WORKSPACE = ROOT / "ros_ws"
ONLY_TESTS = {
    "graphviz",
    "ngspice",
    "systemd",
    "udev",
}  # system packages without which the demo still runs

OLDEST, NEWEST = (3, 10), (3, 14)
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

# Variables of the caller that would change what is built or run. ROS's own are kept when its
# Python wheels do not exist for this machine and the caller's ROS is used instead.
ROS_VARIABLES = re.compile(
    r"AMENT_\w+|COLCON_\w+|ROS_\w+|RMW_\w+|CMAKE_PREFIX_PATH|LD_LIBRARY_PATH|PYTHONPATH"
    r"|PKG_CONFIG_PATH"
)
OTHER_VARIABLES = re.compile(
    r"PYTHON(?!PATH$|UNBUFFERED$|DONTWRITEBYTECODE$|UTF8$)\w*|_ROS_WHEELS_BOOTSTRAP_COMPLETE"
    r"|VIRTUAL_ENV\w*|CONDA_\w+|MYPY_?PATH|MYPY_CACHE_DIR|LD_PRELOAD|CMAKE_(?!PREFIX_PATH$)\w+"
    r"|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MAKEFLAGS|MFLAGS|MAKELEVEL|BASH_ENV|ENV|CDPATH"
    r"|PIP_(USER|TARGET|PREFIX|ROOT|CONSTRAINT|REQUIREMENT|NO_BINARY|ONLY_BINARY|DRY_RUN)"
    r"|BASH_FUNC_.*"
)
# What sourcing the workspace leaves behind and is not its own.
SHELL_VARIABLES = frozenset(
    {"_", "COLCON_PYTHON_EXECUTABLE", "IFS", "LC_CTYPE", "OLDPWD", "PWD", "SHLVL"}
)
CALLERS_PATH = "@CALLERS_PATH@"


class Failure(Exception):
    """Something that the user has to know; the message is one line."""


def say(text: str, end: str = "\n") -> None:
    """Tell the user something, beside the output of the command that is run."""
    print(text, end=end, file=sys.stderr, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step on one line, and its time when it is done."""
    start = time.monotonic()
    say(f"redbutton: {name} ...", end="")
    try:
        yield
    except BaseException:
        say("")
        raise
    say(f" {time.monotonic() - start:.1f} s")


def run(what: str, command: Sequence[str | Path], env: dict[str, str]) -> str:
    """Run a command quietly; if it fails, show the end of its output and say what failed."""
    words = [str(word) for word in command]
    try:
        child = subprocess.Popen(
            words,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            close_fds=False,
        )
    except OSError as error:
        raise Failure(f"{what} failed: {words[0]}: {error.strerror}") from error
    try:
        output, _ = child.communicate()
    except BaseException:
        end(child)
        raise
    if child.returncode:
        say("\n" + "\n".join(output.splitlines()[-30:]))
        raise Failure(f"{what} failed (exit code {child.returncode}), see above")
    return output


def end(child: subprocess.Popen[str]) -> None:
    """End a command and all that it has started."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=5)
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue


# --- the caller's environment -------------------------------------------------------------------


def ros_wheels_exist() -> bool:
    """Tell whether ROS 2 can be had as Python wheels on this machine."""
    return os.environ.get("REDBUTTON_ROS") != "sourced" and on_usual_linux()


def on_usual_linux() -> bool:
    """Tell whether this is glibc's Linux on x86_64, for which most wheels are made."""
    return (
        sys.platform == "linux"
        and platform.machine() == "x86_64"
        and platform.libc_ver()[0] == "glibc"
    )


def scrubbed(caller: dict[str, str], keep_ros: bool) -> dict[str, str]:
    """Return the caller's environment without what could change the result."""
    prefixes = [caller.get("VIRTUAL_ENV", "")]
    if not keep_ros:
        prefixes += caller.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    unwanted = {os.path.join(prefix, "bin") for prefix in prefixes if prefix}
    env = {
        name: value
        for name, value in caller.items()
        if not OTHER_VARIABLES.fullmatch(name) and (keep_ros or not ROS_VARIABLES.fullmatch(name))
    }
    path = [part for part in caller.get("PATH", os.defpath).split(os.pathsep) if part]
    path = [part for part in path if part.rstrip("/") not in unwanted]
    env["PATH"] = os.pathsep.join([*path, *(p for p in ("/usr/bin", "/bin") if p not in path)])
    return env


def in_venv(env: dict[str, str]) -> dict[str, str]:
    """Return an environment with the repository's .venv in front."""
    path = f"{VENV / 'bin'}{os.pathsep}{env['PATH']}"
    return {**env, "PATH": path, "VIRTUAL_ENV": str(VENV)}


# --- stamps -------------------------------------------------------------------------------------


def digest(*parts: str | Path) -> str:
    """Return a hash of some words and of the contents of some files."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        hasher.update(f"{len(data)}:".encode() + data)
    return hasher.hexdigest()


def read_stamp(name: str) -> dict[str, Any]:
    """Return what a finished step noted down, or nothing."""
    try:
        stamp: dict[str, Any] = json.loads((STAMPS / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def write_stamp(name: str, **notes: Any) -> None:
    """Note that a step is finished, all at once so that no half stamp can stay behind."""
    STAMPS.mkdir(exist_ok=True)
    scratch = STAMPS / f"{name}.new"
    scratch.write_text(json.dumps(notes))
    scratch.replace(STAMPS / f"{name}.json")


def drop_stamp(name: str) -> None:
    """Forget that a step was finished."""
    (STAMPS / f"{name}.json").unlink(missing_ok=True)


# --- what must be there before ------------------------------------------------------------------


def check_python() -> None:
    """Refuse a Python for which the pinned packages do not exist."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise Failure(
            f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, this is "
            f"{platform.python_version()}: name another one with `make PYTHON=python3.12 ...`"
        )
    if any(sign in str(ROOT) for sign in ':;"$\\`\n'):
        raise Failure(f"ROS's build tools cannot work in a folder with such a name: {ROOT}")


def check_sourced_ros(env: dict[str, str]) -> None:
    """Where there are no ROS wheels, ask for a sourced ROS and for MicroPython."""
    missing = []
    if not env.get("AMENT_PREFIX_PATH") or not shutil.which("colcon", path=env["PATH"]):
        missing.append(
            "ROS 2 (install ros-dev-tools and source /opt/ros/<distribution>/setup.bash)"
        )
    mac_wheel = sys.platform == "darwin" and platform.machine() == "arm64"
    linux_wheel = sys.platform == "linux" and platform.machine() == "x86_64"
    if not (mac_wheel or linux_wheel or shutil.which("micropython", path=env["PATH"])):
        missing.append("MicroPython's Unix port (build it, put `micropython` on the PATH)")
    if missing:
        raise Failure(
            f"ROS 2's Python wheels are not for here ({platform.machine()} {sys.platform}); "
            f"needed from the system: {' and '.join(missing)}"
        )


def base_include() -> Path:
    """Return the folder of the C headers of the Python that .venv is made from."""
    base = {"base": sys.base_prefix, "installed_base": sys.base_prefix}
    return Path(sysconfig.get_path("include", vars=base))


def missing_system_packages(env: dict[str, str]) -> list[str]:
    """Return the names (Debian's) of the system packages that are not there."""
    path = f"{env['PATH']}:/usr/sbin:/sbin"
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    present = {
        "g++": shutil.which("c++", path=path) and shutil.which("cc", path=path),
        "make": shutil.which("make", path=path),
        f"{python}-dev": (base_include() / "Python.h").exists(),
        "graphviz": shutil.which("dot", path=path),
        "ngspice": shutil.which("ngspice", path=path),
        "systemd": sys.platform != "linux" or shutil.which("systemd-sysusers", path=path),
        "udev": sys.platform != "linux" or shutil.which("udevadm", path=path),
    }
    return [package for package, found in present.items() if not found]


def install_system_packages(env: dict[str, str]) -> None:
    """Install missing system packages if that is possible, else say how to."""
    missing = missing_system_packages(env)
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    advice = f"system packages are missing: {' '.join(missing)}: `sudo {' '.join(command)}`"
    prefix = root_prefix(env)
    if prefix is None or not shutil.which("apt-get", path=env["PATH"]):
        if set(missing) <= ONLY_TESTS:
            say(f"redbutton: {advice} (only some tests need it)")
            return
        raise Failure(advice)
    with step(f"installing {' '.join(missing)}"):
        apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive"]
        subprocess.run([*apt, "apt-get", "update"], env=env, capture_output=True, check=False)
        try:
            run("apt-get", [*apt, *command], env)
        except Failure as failure:
            if not set(missing) <= ONLY_TESTS:
                raise Failure(advice) from failure


def root_prefix(env: dict[str, str]) -> list[str] | None:
    """Return how to run a command as root without a question, or None."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo", path=env["PATH"]):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], env=env, capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None


# --- .venv --------------------------------------------------------------------------------------


def venv_key(wheels: bool) -> str:
    """Return what .venv depends on; where it lies is part of that."""
    return digest(
        str(ROOT),
        sys.version,
        os.path.realpath(base_python()),  # it has several names, and .venv's own says another
        str(wheels),
        Path(__file__),
        *lock_files(wheels),
    )


def base_python() -> str:
    """Return the interpreter itself, even when this one belongs to another virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def lock_files(wheels: bool) -> list[Path]:
    """Return the lists of what goes into .venv."""
    names = ("python.txt", *(["ros.txt"] if wheels else []), "model.txt", "stubs.txt")
    return [LOCKS / name for name in names]


def venv_is_current(wheels: bool) -> bool:
    """Tell whether .venv was finished, here, from these locks, and its Python still exists."""
    return read_stamp("venv").get("key") == venv_key(wheels) and PYTHON.exists()


def make_venv(env: dict[str, str], wheels: bool) -> None:
    """Make .venv anew with everything in the locks."""
    with step("making .venv"):
        if VENV.is_symlink():
            VENV.unlink()
        elif VENV.exists():
            shutil.rmtree(VENV)
        options = [] if wheels else ["--system-site-packages"]
        run("venv", [base_python(), "-m", "venv", "--without-pip", *options, VENV], env)
        add_pip(env)
    for lock in lock_files(wheels):
        with step(f"installing {lock.relative_to(ROOT)}"):
            target = ["--target", str(VENV / "typings")] if lock.stem == "stubs" else []
            pip_install(lock.name, [*target, "-r", str(lock)], env)
    if wheels:
        correct_wheels()
    write_stamp("venv", key=venv_key(wheels))


def pip_install(what: str, options: Sequence[str], env: dict[str, str]) -> None:
    """Install exactly what is named, with the .venv's own pip."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"]
    run(f"installing {what}", [*pip, *options], {**in_venv(env), "PIP_USER": "0"})


def add_pip(env: dict[str, str]) -> None:
    """Put pip into .venv, with ensurepip or, where a distribution left that out, without."""
    command = [str(PYTHON), "-m", "ensurepip", "--default-pip"]
    if subprocess.run(command, env=in_venv(env), capture_output=True, check=False).returncode == 0:
        return
    with tempfile.TemporaryDirectory(prefix="redbutton-") as folder:
        wheel = Path(folder, PIP_WHEEL)
        wheel.write_bytes(download_pip(env))
        run(
            "installing pip", [PYTHON, wheel / "pip", "install", "--no-index", wheel], in_venv(env)
        )


def download_pip(env: dict[str, str]) -> bytes:
    """Fetch the pinned pip from the package index."""
    index = env.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    page_url = f"{index.rstrip('/')}/pip/"
    try:
        page = fetch(page_url, env).decode()
        links = [html.unescape(link) for link in re.findall(r'href=["\']([^"\']+)', page)]
        urls = [link for link in links if f"/{PIP_WHEEL}" in f"/{link}"]
        if not urls:
            raise Failure(f"{PIP_WHEEL} is not on {without_password(page_url)}")
        data = fetch(with_password_of(index, urllib.parse.urljoin(page_url, urls[0])), env)
    except OSError as error:
        raise Failure(f"fetching pip from {without_password(index)} failed: {error}") from error
    if hashlib.sha256(data).hexdigest() != PIP_SHA256:
        raise Failure(f"{PIP_WHEEL} from {without_password(index)} has a wrong SHA-256")
    return data


def fetch(url: str, env: dict[str, str]) -> bytes:
    """Fetch a URL, with the user name and password and the certificates that pip would use."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(without_password(url), headers={"Accept": "text/html, */*"})
    if parts.username:
        user = urllib.parse.unquote(f"{parts.username}:{parts.password or ''}")
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    context = ssl.create_default_context(cafile=env.get("PIP_CERT") or None)
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        data: bytes = answer.read()
    return data


def without_password(url: str) -> str:
    """Return a URL without user name and password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def with_password_of(index: str, url: str) -> str:
    """Return a URL with the user name and password of the index, if it lies on the same host."""
    at, parts = urllib.parse.urlsplit(index), urllib.parse.urlsplit(url)
    same_host = (at.scheme, at.netloc.rpartition("@")[2]) == (parts.scheme, parts.netloc)
    return urllib.parse.urlunsplit(parts._replace(netloc=at.netloc)) if same_host else url


def correct_wheels() -> None:
    """Put this machine's paths into the CMake files of the ROS wheels.

    They carry the folders of the machine on which they were built. Doing it twice is harmless.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = VENV / "lib" / version / "site-packages"
    tinyxml = next(iter((packages / "ros_fastdds.libs").glob("libtinyxml2-*")), None)
    for path in (VENV / "share").glob("*/cmake/*.cmake"):
        old = path.read_text()
        new = re.sub(
            r'/opt/python/[^;"]*/numpy/_core/include',
            lambda _: str(packages / "numpy" / "_core" / "include"),
            old,
        )
        new = re.sub(
            r'/opt/python/[^;"]*/include/python3\.\d+t?', lambda _: str(base_include()), new
        )
        if tinyxml:
            new = new.replace("/usr/lib64/libtinyxml2.so", str(tinyxml))
        if new != old:
            path.write_text(new)


def add_fuzzer(env: dict[str, str]) -> None:
    """Put the fuzzer into a folder of .venv of its own, where only `make fuzz` looks for it."""
    lock = LOCKS / "fuzz.txt"
    if read_stamp("fuzz").get("key") == digest(lock):
        return
    with alone(), step(f"installing {lock.relative_to(ROOT)}"):
        drop_stamp("fuzz")
        shutil.rmtree(VENV / "fuzz", ignore_errors=True)
        target = ["--only-binary", ":all:", "--target", str(VENV / "fuzz")]
        pip_install(lock.name, [*target, "-r", str(lock)], env)
        write_stamp("fuzz", key=digest(lock))


def check_fuzzer() -> None:
    """Refuse a machine for which there is no fuzzer."""
    if not on_usual_linux():
        raise Failure(
            f"the fuzzer exists for Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} on "
            f"x86_64 Linux with glibc, this is {platform.machine()} {sys.platform}"
        )


# --- this repository ----------------------------------------------------------------------------


def package_key() -> str:
    """Return what the installed package's metadata depends on."""
    return digest(ROOT / "pyproject.toml", ROOT / "host" / "redbutton" / "__init__.py")


def install_package(env: dict[str, str]) -> None:
    """Install this repository into .venv, so that changes to host/ need no new installation."""
    drop_stamp("package")
    with step("installing redbutton"):
        pip_install("redbutton", ["--no-build-isolation", "--no-index", "-e", str(ROOT)], env)
    write_stamp("package", key=package_key())


# --- ros_ws -------------------------------------------------------------------------------------


def workspace_files() -> list[Path]:
    """Return the source files of ros_ws."""
    files = (path for path in (WORKSPACE / "src").rglob("*") if path.is_file())
    unwanted = re.compile(r"(^|/)(__pycache__|\.[^/]+|[^/]+\.egg-info|[^/]+\.pyc)(/|$)")
    return sorted(path for path in files if not unwanted.search(str(path.relative_to(WORKSPACE))))


def workspace_names() -> str:
    """Return a hash of the names of the source files of ros_ws."""
    return digest(*(str(path.relative_to(WORKSPACE)) for path in workspace_files()))


def workspace_key(env: dict[str, str], wheels: bool) -> str:
    """Return what the built workspace depends on."""
    return digest(venv_key(wheels), *ros_variables(env), *named(workspace_files()))


def named(paths: Iterable[Path]) -> Iterator[str | Path]:
    """Yield each file's name within ros_ws, then the file."""
    for path in paths:
        yield str(path.relative_to(WORKSPACE))
        yield path


def ros_variables(env: dict[str, str]) -> list[str]:
    """Return the caller's ROS, if it is in use."""
    return sorted(f"{name}={value}" for name, value in env.items() if ROS_VARIABLES.match(name))


def build_workspace(env: dict[str, str], wheels: bool) -> None:
    """Build ros_ws, from nothing unless only the contents of files have changed."""
    last = read_stamp("workspace")
    drop_stamp("workspace")
    build_env = in_venv(env)
    build_env["COLCON_HOME"] = str(STAMPS / "colcon")
    build_env["PYTHONWARNINGS"] = "ignore"
    if wheels:
        build_env["AMENT_PREFIX_PATH"] = build_env["CMAKE_PREFIX_PATH"] = str(VENV)
    with step("building ros_ws"):
        if last.get("names") != workspace_names() or last.get("venv") != venv_key(wheels):
            for folder in ("build", "install", "log"):
                shutil.rmtree(WORKSPACE / folder, ignore_errors=True)
        places = [f"--{name}-base={WORKSPACE / name}" for name in ("build", "install")]
        log = f"--log-base={WORKSPACE / 'log'}"
        options = ["--merge-install", "--base-paths", str(WORKSPACE / "src"), *places]
        cmake = ["--cmake-args", f"-DPython3_EXECUTABLE={PYTHON}", "-DBUILD_TESTING=OFF"]
        colcon = [
            str(PYTHON),
            "-c",
            "from colcon_core.command import main; raise SystemExit(main())",
        ]
        run("building ros_ws", [*colcon, log, "build", *options, *cmake], build_env)
        variables = sourced_variables(env, wheels)
    write_stamp(
        "workspace",
        key=workspace_key(env, wheels),
        names=workspace_names(),
        venv=venv_key(wheels),
        variables=variables,
    )


def sourced_variables(env: dict[str, str], wheels: bool) -> dict[str, str]:
    """Return the variables that sourcing the built workspace sets, for later runs."""
    base = {name: value for name, value in env.items() if ROS_VARIABLES.fullmatch(name)}
    base["PATH"] = os.pathsep.join([str(VENV / "bin"), CALLERS_PATH, os.defpath])
    base["COLCON_PYTHON_EXECUTABLE"] = base_python()  # .venv's may have a space in its path
    if wheels:
        base["AMENT_PREFIX_PATH"] = str(VENV)
    script = '. "$0" >&2 && "$1" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    setup = WORKSPACE / "install" / "local_setup.bash"
    command = ["bash", "--norc", "--noprofile", "-c", script, str(setup), str(PYTHON)]
    variables: dict[str, str] = json.loads(run("sourcing ros_ws", command, base).splitlines()[-1])
    path = variables["PATH"].removesuffix(os.pathsep + os.defpath)
    kept = {name: value for name, value in variables.items() if name not in SHELL_VARIABLES}
    return {**kept, "PATH": path, "VIRTUAL_ENV": str(VENV)}


# --- all of it ----------------------------------------------------------------------------------


def is_current(env: dict[str, str], wheels: bool) -> bool:
    """Tell whether there is nothing to do."""
    return (
        venv_is_current(wheels)
        and read_stamp("package").get("key") == package_key()
        and workspace_is_current(env, wheels)
    )


def workspace_is_current(env: dict[str, str], wheels: bool) -> bool:
    """Tell whether ros_ws was built from what is there now."""
    built = (WORKSPACE / "install" / "local_setup.bash").exists()
    return built and read_stamp("workspace").get("key") == workspace_key(env, wheels)


@contextmanager
def alone() -> Iterator[None]:
    """Keep other runs of this script in this checkout waiting.

    Commands inherit the lock: should this script be killed, the next run waits for them to end.
    """
    with Path(__file__).open("rb") as handle:
        os.set_inheritable(handle.fileno(), True)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("redbutton: waiting for another set-up in this folder")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def set_up(env: dict[str, str], wheels: bool) -> None:
    """Do every step that is not up to date."""
    check_python()
    if is_current(env, wheels) and not missing_system_packages(env):
        return
    with alone():
        install_system_packages(env)
        if not wheels:
            check_sourced_ros(env)
        if not venv_is_current(wheels):
            make_venv(env, wheels)
        if read_stamp("package").get("key") != package_key():
            install_package(env)
        if not workspace_is_current(env, wheels):
            build_workspace(env, wheels)


def execute(command: Sequence[str], env: dict[str, str]) -> None:
    """Become a command in the finished environment."""
    variables = read_stamp("workspace")["variables"]
    path = variables["PATH"].replace(CALLERS_PATH, env["PATH"])
    env = {**env, "ROS_LOG_DIR": str(WORKSPACE / "log" / "nodes"), **variables, "PATH": path}
    try:
        os.execvpe(command[0], list(command), env)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from error


def stop(_signal: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that a step under way is ended too."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for."""
    fuzz = arguments[1:2] == ["--fuzz"]
    dashes, command = arguments[1 + fuzz : 2 + fuzz], arguments[2 + fuzz :]
    if arguments and (arguments[0] != "exec" or dashes != ["--"] or not command):
        say("usage: python3 .ci/environment.py [exec [--fuzz] -- CMD...]")
        return 2
    signal.signal(signal.SIGTERM, stop)
    try:
        wheels = ros_wheels_exist()
        env = scrubbed(dict(os.environ), keep_ros=not wheels)
        if fuzz:
            check_fuzzer()
        set_up(env, wheels)
        if fuzz:
            add_fuzzer(env)
        if arguments:
            execute(command, env)
    except Failure as failure:
        say(f"redbutton: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nredbutton: interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
