"""Users and groups: of the running system, or of an image."""

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class User:
    """As passwd(5) has it."""

    name: str
    uid: int
    gid: int
    shell: str


class Users:
    """The running system is asked (NSS); of an image, /etc/passwd and /etc/group are read."""

    def __init__(self, root: Path) -> None:
        self._root = root if root != Path("/") else None

    def find(self, name: str) -> User | None:
        """The user of this name."""
        for user in self._users():
            if user.name == name:
                return user
        return None

    def groups(self) -> dict[str, tuple[int, list[str]]]:
        """Number and members of each group. Who has it as his first group is not among them."""
        if self._root is None:
            return {group.gr_name: (group.gr_gid, group.gr_mem) for group in grp.getgrall()}
        fields = [line.split(":") for line in self._lines("group")]
        return {
            field[0]: (int(field[2]), [name for name in field[3].split(",") if name])
            for field in fields
            if len(field) == 4 and field[2].isdigit()
        }

    def groups_of(self, name: str) -> dict[str, int]:
        """The groups that a user is in, by name."""
        user = self.find(name)
        return {
            group: number
            for group, (number, members) in self.groups().items()
            if name in members or (user is not None and number == user.gid)
        }

    def _users(self) -> list[User]:
        if self._root is None:
            return [User(one.pw_name, one.pw_uid, one.pw_gid, one.pw_shell) for one in _all()]
        fields = [line.split(":") for line in self._lines("passwd")]
        return [
            User(field[0], int(field[2]), int(field[3]), field[6])
            for field in fields
            if len(field) == 7 and field[2].isdigit() and field[3].isdigit()
        ]

    def _lines(self, name: str) -> list[str]:
        assert self._root is not None
        try:
            return (self._root / "etc" / name).read_text().splitlines()
        except OSError:
            return []


def _all() -> list[pwd.struct_passwd]:
    return pwd.getpwall()


def as_user(uid: int, gid: int, groups: list[int]) -> None:
    """Become this user for good. OSError if that is not permitted."""
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
