"""The service under a real systemd, hardened as it is installed: `make service-trial`.

Another root, made of this one (overlay file system, written to memory), is entered with namespaces
of its own; `redbutton install` is run there, and systemd is its first process, with nothing to
start but a virtual board and what is tried here. Nothing of this computer is written to, and
nothing survives. Needs root, overlay file systems and cgroup v2; takes a minute.

What differs from a robot: the port is a pseudo-terminal, and Python is where this environment has
it, so the service may look into homes (ProtectHome=read-only).
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("redbutton")
PATIENCE_S = 150
PLANNER = 64002
SYSTEMD = ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")
UNIT = "[Unit]\nDefaultDependencies=no\n"

ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
for folder in tmp run dev; do mount -t tmpfs -o mode=755 none $folder; done
chmod 1777 tmp
mkdir dev/pts dev/shm run/lock
mount -t devpts -o newinstance,ptmxmode=666 none dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mount -t proc proc proc
mount -o bind,ro proc/sys proc/sys
mount -t sysfs -o ro none sys
mount -t cgroup2 none sys/fs/cgroup
mount --bind @OUT@ media
for folder in @CLOSED@; do chmod 755 .$folder; done
rm -rf etc/systemd/system
chroot . @PROGRAM@ install --serial e6614c311b7e6f2c --program @PROGRAM@ > @OUT@/install.txt
cp -r @OUT@/units/. etc/systemd/system/
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
mount --make-rshared /
export container=trial
exec @SYSTEMD@ --unit=trial.target --log-target=console --show-status=no
"""

PROBE = """
say() { echo "$1: $2"; }
show() { systemctl show --value --property="$1" redbutton.service; }
for i in $(seq 100); do [ -e /dev/board ] && break; sleep 0.2; done
port=$(readlink -f /dev/board)
chown redbutton:redbutton $port; chmod 660 $port; ln -s $port /dev/redbutton
systemctl start redbutton.service
say started $(show ActiveState)
for i in $(seq 100); do case $(show StatusText) in STOPPED*) break;; esac; sleep 0.2; done
say status "$(show StatusText)"
pid=$(show MainPID)
say user $(stat -c %U /proc/$pid)
say capabilities $(sed -n 's/CapEff:\\t//p' /proc/$pid/status)
say key $(stat -c %U:%a /run/credentials/redbutton.service/key)
setpriv --reuid=@PLANNER@ --regid=@PLANNER@ --clear-groups @PYTHON@ -m redbutton.cli \
  stop --port /dev/redbutton > /dev/null
say stop $?
kill -STOP $pid
for i in $(seq 100); do [ $(show NRestarts) -gt 0 ] && break; sleep 0.2; done
say restarts $(show NRestarts)
for i in $(seq 100); do [ $(show ActiveState) = active ] && break; sleep 0.2; done
say again $(show ActiveState)
systemctl stop redbutton.service
say stopped $(show ActiveState)
echo done
"""

EXPECTED = {
    "started": "active",
    "status": "STOPPED, load off, first cause: power up",
    "user": "redbutton",
    "capabilities": "0000000000000000",
    "key": "redbutton:400",
    "stop": "0",
    "restarts": "1",
    "again": "active",
    "stopped": "inactive",
}


def units(out: Path) -> dict[str, str]:
    """What systemd finds beside what was installed."""
    told = "StandardOutput=append:/media/{0}\nStandardError=append:/media/{0}\n"
    board = f"{PROGRAM} virtual-board --port-link /dev/board --key-file /etc/redbutton/key"
    return {
        "trial.target": f"{UNIT}Wants=board.service probe.service\n",
        "board.service": f"{UNIT}[Service]\nExecStart={board}\nStandardInput=file:/dev/zero\n"
        + told.format("board.txt"),
        "probe.service": f"{UNIT}[Service]\nType=oneshot\nExecStart=/bin/bash /media/probe.sh\n"
        + told.format("probe.txt"),
        "redbutton.service.d/trial.conf": f"{UNIT}[Service]\nProtectHome=read-only\n"
        "DeviceAllow=char-pts rw\n" + told.format("service.txt"),
    }


def closed() -> list[str]:
    """Folders on the way to Python that only their owner may enter."""
    wanted = [Path(sys.base_prefix), ROOT]
    return [str(f) for path in wanted for f in path.parents if not f.stat().st_mode & 0o001]


@contextlib.contextmanager
def own_cgroup() -> Iterator[Path]:
    """A control group for all that runs there, gone afterwards."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    top = next(Path(fields[1]) for fields in mounts if fields[2] == "cgroup2")
    folder = top / f"redbutton-trial-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                for below in sorted(folder.rglob("*"), reverse=True):
                    if below.is_dir():
                        below.rmdir()
                folder.rmdir()
            if not folder.exists():
                break
            time.sleep(0.1)


def trial(out: Path, cgroup: Path, systemd: str) -> dict[str, str]:
    """What the probe said."""
    for name, text in units(out).items():
        (out / "units" / name).parent.mkdir(parents=True, exist_ok=True)
        (out / "units" / name).write_text(text)
    gaps = {
        "@OUT@": shlex.quote(str(out)),
        "@CLOSED@": shlex.join(closed()),
        "@PROGRAM@": shlex.quote(str(PROGRAM)),
        "@PYTHON@": shlex.quote(sys.executable),
        "@PLANNER@": str(PLANNER),
        "@SYSTEMD@": systemd,
    }
    enter, probe = ENTER, PROBE
    for gap, value in gaps.items():
        enter, probe = enter.replace(gap, value), probe.replace(gap, value)
    (out / "probe.sh").write_text(probe)
    said = out / "probe.txt"
    spaces = [
        "--kill-child=KILL",
        "--fork",
        "--pid",
        "--mount",
        "--cgroup",
        "--uts",
        "--ipc",
        "--net",
    ]
    join = 'echo $$ > "$0/cgroup.procs"; exec "$@"'
    with (out / "console.txt").open("w") as console:
        inside = subprocess.Popen(
            ["sh", "-c", join, str(cgroup), "unshare", *spaces, "sh", "-c", enter],
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
    end = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < end and inside.poll() is None:
            if said.exists() and "done" in said.read_text().splitlines():
                break
            time.sleep(0.5)
    finally:
        inside.kill()
        inside.wait()
    lines = said.read_text().splitlines() if said.exists() else []
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def main() -> int:
    """Try it, print what was found."""
    systemd = next((path for path in SYSTEMD if os.path.exists(path)), None)
    if os.geteuid() != 0 or systemd is None or not shutil.which("unshare"):
        print("needs root, systemd and util-linux")
        return 2
    with tempfile.TemporaryDirectory(prefix="rb-trial-", dir="/var/tmp") as folder:
        out = Path(folder)
        with own_cgroup() as cgroup:
            found = trial(out, cgroup, systemd)
        for what, expected in EXPECTED.items():
            mark = "ok  " if found.get(what) == expected else "NOT "
            print(f"{mark} {what}: {found.get(what)}")
        if found != EXPECTED:
            for name in ("console", "install", "board", "service", "probe"):
                file = out / f"{name}.txt"
                text = file.read_text(errors="replace") if file.exists() else "(nothing)"
                print(f"--- {name}\n{text[-3000:]}")
    return 0 if found == EXPECTED else 1


if __name__ == "__main__":
    sys.exit(main())
