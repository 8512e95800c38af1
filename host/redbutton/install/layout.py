"""Where everything of one controller is on its host. `redbutton doctor` looks there, too."""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from redbutton.errors import RedbuttonError

USER = "redbutton"
NAME = "redbutton(-[a-z0-9]+)*"


@dataclass(frozen=True)
class Layout:
    """`name`: of the link below /dev; a second controller is redbutton-WORDS. `root`: of the file
    system, another one for an image."""

    name: str = USER
    root: Path = Path("/")

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise RedbuttonError(
                "a link is named redbutton or like redbutton-arm (a-z, 0-9 and single hyphens), "
                f"and {self.name!r} is not"
            )

    @property
    def suffix(self) -> str:
        """What the files of this controller end in: empty, or -WORDS."""
        return self.name.removeprefix(USER)

    @property
    def device(self) -> str:
        """The port's path on the running host."""
        return f"/dev/{self.name}"

    @property
    def device_unit(self) -> str:
        """systemd's name of the port (systemd.unit(5), string escaping)."""
        return "dev-" + self.name.replace("-", r"\x2d") + ".device"

    @property
    def unit(self) -> str:
        """The service's name."""
        return f"{self.name}.service"

    def at(self, path: str) -> Path:
        """An absolute path, below the root."""
        return self.root / path.lstrip("/")

    @property
    def rule_file(self) -> Path:
        """The udev rule."""
        return self.at(f"/etc/udev/rules.d/70-{self.name}.rules")

    @property
    def unit_file(self) -> Path:
        """The service."""
        return self.at(f"/etc/systemd/system/{self.unit}")

    @property
    def sysusers_file(self) -> Path:
        """Who the user is, for all controllers."""
        return self.at("/etc/sysusers.d/redbutton.conf")

    @property
    def tmpfiles_file(self) -> Path:
        """Which folders there are, for all controllers."""
        return self.at("/etc/tmpfiles.d/redbutton.conf")

    @property
    def key_file(self) -> Path:
        """The link key."""
        return self.at(f"/etc/redbutton/key{self.suffix}")

    @property
    def configuration_file(self) -> Path:
        """The host's configuration."""
        return self.at(f"/etc/redbutton/host{self.suffix}.yaml")

    @property
    def state_folder(self) -> Path:
        """Of the record."""
        return self.at("/var/lib/redbutton")

    def others(self) -> list[Path]:
        """The units of further controllers."""
        found = self.unit_file.parent.glob("redbutton*.service")
        return sorted(
            file
            for file in found
            if file != self.unit_file and re.fullmatch(NAME, file.name.removesuffix(".service"))
        )


def template(name: str) -> str:
    """One of this package's files for the system, with its gaps."""
    return resources.files("redbutton.install").joinpath(name).read_text("utf-8")
