"""Builds MicroPython's image for the Pico from the sources that Debian carries (make chip-image).

usage: python tests/chip/build_image.py IMAGE.uf2

The port, board and options are MicroPython's own for RPI_PICO; what is left out are the drivers
that the stock image carries as frozen modules (onewire, dht, neopixel), which nothing here uses.
Everything is downloaded from Debian's archive and must have the SHA-256 that stands here.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from io import BytesIO
from pathlib import Path

ARCHIVE = "https://deb.debian.org/debian/pool/main/"
# In the folder of that name: where it is from, and its SHA-256.
SOURCES = {
    "micropython": (
        "m/micropython/micropython_1.25.0+ds.orig.tar.xz",
        "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
    ),
    "pico-sdk": (
        "p/pico-sdk/pico-sdk_2.1.1.orig.tar.gz",
        "179c5531e75ac7f82d0679e70b6e8881f871738dc0ef17baf3b4ff4679291c41",
    ),
    "tinyusb": (
        "t/tinyusb/tinyusb-source_0.18.0+dfsg-1_all.deb",
        "01ce2c645df68f14a8a7dcfc8fb355713152543757955820479a87949a61154e",
    ),
    "mbedtls": (
        "m/mbedtls/mbedtls_3.6.6.orig.tar.bz2",
        "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
    ),
}
TOOLS = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi"
    " libstdc++-arm-none-eabi-newlib",
    "cmake": "cmake",
    "make": "make",
    "g++": "g++",
}
MANIFEST = 'freeze("$(PORT_DIR)/modules")\ninclude("$(MPY_DIR)/extmod/asyncio")\n'
FLASH_AT, FAMILY = "0x10000000", "0xe48bff56"  # of the RP2040, in a UF2 file


def download(name: str) -> bytes:
    """A source's archive; SystemExit if it is not to be had or is another one."""
    path, digest = SOURCES[name]
    print(f"downloading {path} ...", flush=True)
    try:
        with urllib.request.urlopen(ARCHIVE + path, timeout=60) as answer:
            data: bytes = answer.read()
    except OSError as error:
        raise SystemExit(f"cannot download {ARCHIVE + path}: {error}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise SystemExit(f"{ARCHIVE + path} has SHA-256 {found}, expected {digest}")
    return data


def unpack(name: str, data: bytes, folder: Path) -> Path:
    """The folder of the sources in it."""
    place = folder / name
    if SOURCES[name][0].endswith(".deb"):
        package = folder / "package.deb"
        package.write_bytes(data)
        data = run("arm-none-eabi-ar", "p", package, "data.tar.xz")
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        archive.extractall(place, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
    if SOURCES[name][0].endswith(".deb"):
        return place / "usr/src" / name
    (inner,) = place.iterdir()
    return inner


def run(*command: object) -> bytes:
    """What the command prints; SystemExit with its last lines if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")
        print(*said.splitlines()[-20:], sep="\n", file=sys.stderr)
        raise SystemExit(f"failed: {' '.join(str(word) for word in command)}")
    return done.stdout


def build(folder: Path, image: Path) -> None:
    """The image, with everything else in `folder`."""
    places = {name: unpack(name, download(name), folder) for name in SOURCES}
    micropython = places["micropython"]
    for name in ("tinyusb", "mbedtls"):
        shutil.rmtree(micropython / "lib" / name)
        (micropython / "lib" / name).symlink_to(places[name])
    (micropython / "lib/micropython-lib/README.md").touch()  # that it is there is checked
    manifest = folder / "manifest.py"
    manifest.write_text(MANIFEST)
    jobs = f"-j{os.cpu_count()}"
    print("building mpy-cross ...", flush=True)
    run("make", "-C", micropython / "mpy-cross", jobs)
    print("building the image ...", flush=True)
    made = folder / "build"
    run(
        "cmake",
        "-S",
        micropython / "ports/rp2",
        "-B",
        made,
        "-DMICROPY_BOARD=RPI_PICO",
        f"-DPICO_SDK_PATH_OVERRIDE={places['pico-sdk']}",
        f"-DMICROPY_FROZEN_MANIFEST={manifest}",
        "-DPICO_NO_PICOTOOL=1",
        "-DPICO_NO_UF2=1",
    )
    run("make", "-C", made, jobs)
    convert = micropython / "tools/uf2conv.py"
    image.parent.mkdir(parents=True, exist_ok=True)
    part = image.with_suffix(".part")
    binary = made / "firmware.bin"
    run(sys.executable, convert, "-b", FLASH_AT, "-f", FAMILY, "-c", "-o", part, binary)
    part.replace(image)


def main() -> None:
    """The command."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    image = Path(sys.argv[1]).absolute()
    missing = [packages for tool, packages in TOOLS.items() if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"missing: run  apt-get install {' '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="redbutton-image-") as folder:
        build(Path(folder), image)
    print(f"{image}: {image.stat().st_size} bytes")


if __name__ == "__main__":
    main()
