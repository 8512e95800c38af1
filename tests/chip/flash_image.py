"""What stands in the chip's flash: the file system with the firmware, and UF2 files."""

import json
import struct
from pathlib import Path

from littlefs import LittleFS, UserContext

from redbutton.firmware import decide

FIRMWARE = Path(decide.__file__).parent
BLOCK = 4096
BLOCKS = 352  # MicroPython's stock image for the Pico: 1408 KB at the end of 2 MB
DISK_VERSION = 0x00020000  # every MicroPython reads it
UF2_PAYLOAD = 256
UF2_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
UF2_RP2040 = 0xE48BFF56
UF2_FAMILY_PRESENT = 0x2000


def firmware(key: bytes | None, **settings: int) -> dict[str, bytes]:
    """The files as `redbutton flash` puts them on the board: name -> content."""
    files = {file.name: file.read_bytes() for file in sorted(FIRMWARE.glob("*.py"))}
    if key is not None:
        stored = {"heartbeat_timeout_ms": 100, "stop_delay_ms": 0, **settings, "key": key.hex()}
        files["settings.json"] = json.dumps(stored).encode()
    return files


def build(files: dict[str, bytes]) -> bytes:
    """A littlefs image with these files."""
    image = UserContext(buffsize=BLOCK * BLOCKS)
    flash = LittleFS(
        context=image,
        block_size=BLOCK,
        block_count=BLOCKS,
        prog_size=256,
        disk_version=DISK_VERSION,
    )
    for name, content in files.items():
        with flash.open(name, "wb") as file:
            file.write(content)
    flash.unmount()
    return bytes(image.buffer)


def read(image: bytes) -> dict[str, bytes]:
    """The files of a littlefs image."""
    context = UserContext(buffsize=BLOCK * BLOCKS)
    context.buffer[:] = image
    flash = LittleFS(
        context=context, block_size=BLOCK, block_count=BLOCKS, prog_size=256, mount=True
    )
    files = {}
    for name in flash.listdir("/"):
        with flash.open(name, "rb") as file:
            files[name] = file.read()
    flash.unmount()
    return files


def uf2(code: bytes, address: int = 0x10000000) -> bytes:
    """A UF2 file with this content of the flash (github.com/microsoft/uf2)."""
    pieces = [code[at : at + UF2_PAYLOAD] for at in range(0, len(code), UF2_PAYLOAD)]
    blocks = []
    for number, piece in enumerate(pieces):
        header = struct.pack(
            "<8I",
            *UF2_MAGIC[:2],
            UF2_FAMILY_PRESENT,
            address + UF2_PAYLOAD * number,
            UF2_PAYLOAD,
            number,
            len(pieces),
            UF2_RP2040,
        )
        body = piece.ljust(476, b"\0")
        blocks.append(header + body + struct.pack("<I", UF2_MAGIC[2]))
    return b"".join(blocks)
