"""What a lab provisions: the link key and the two times. Kept in flash, changed in maintenance."""

import binascii
import json

import wire

FILE = "settings.json"
HEARTBEAT_TIMEOUT_MS = 100
STOP_DELAY_MS = 0


class Settings:
    """`key`: 32 bytes, or None, which is a stop cause. Times in ms; `Decide` clamps them."""

    def __init__(self, key: "bytes | None", heartbeat_timeout: int, stop_delay: int) -> None:
        self.key = key
        self.heartbeat_timeout = heartbeat_timeout
        self.stop_delay = stop_delay


def load() -> Settings:
    """The settings in flash; anything wrong with them means no key, and so a stop."""
    try:
        with open(FILE) as file:
            stored = json.load(file)
        key = binascii.unhexlify(stored["key"])
        if len(key) != wire.KEY_SIZE:
            raise ValueError("key size")
        return Settings(key, int(stored["heartbeat_timeout_ms"]), int(stored["stop_delay_ms"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Settings(None, HEARTBEAT_TIMEOUT_MS, STOP_DELAY_MS)
