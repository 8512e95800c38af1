"""Reads SROS2 policies, for tests that hold them against what nodes really have."""

from pathlib import Path
from xml.etree import ElementTree

Names = dict[str, set[str]]
ACCESS = {
    "topics": ("publish", "subscribe"),
    "services": ("request", "reply"),
    "actions": ("call", "execute"),
}


def policy_names(path: Path) -> dict[str, Names]:
    """Enclave -> access ("publish", "subscribe", "request", "reply", ...) -> names, absolute.

    ValueError for what sros2 would not take, or would take for something else.
    """
    enclaves: dict[str, Names] = {}
    root = ElementTree.parse(path).getroot()
    if root.tag != "policy" or root.get("version") != "0.2.0":
        raise ValueError(f"{path}: no policy of version 0.2.0")
    for enclave in root.findall("./enclaves/*"):
        names = enclaves.setdefault(enclave.attrib["path"], {})
        for profile in enclave.findall("./profiles/*"):
            for rule in profile:
                for access, qualifier in rule.attrib.items():
                    if access not in ACCESS[rule.tag] or qualifier != "ALLOW":
                        raise ValueError(f"{path}: {rule.tag} {access}={qualifier!r}")
                    for entry in rule:
                        if entry.tag != rule.tag.removesuffix("s") or not entry.text:
                            raise ValueError(f"{path}: {entry.tag} in {rule.tag}")
                        names.setdefault(access, set()).add(_absolute(profile, entry.text))
    return enclaves


def _absolute(profile: ElementTree.Element, name: str) -> str:
    namespace = profile.attrib["ns"].rstrip("/")
    if name.startswith("/"):
        return name
    if name.startswith("~/"):
        return f"{namespace}/{profile.attrib['node']}{name[1:]}"
    return f"{namespace}/{name}"
