"""A signed list of the firmware's files: what `make firmware` builds and a host may verify.

Ed25519 (RFC 8032), by PyNaCl. The signing key is a file that whoever releases firmware keeps, on
no robot; the verify key is public. A signature is over the manifest's exact bytes.

    python -m redbutton.manifest --new-key release.key      # once; prints the verify key
    python -m redbutton.manifest dist/firmware --signing-key release.key
"""

import argparse
import hashlib
import os
from pathlib import Path

from pydantic import ValidationError

from redbutton import __version__, attestation
from redbutton.errors import BadSignature, RedbuttonError
from redbutton.firmware import wire
from redbutton.key import nacl
from redbutton.model import Frozen

NAME = "manifest.json"
SIGNATURE = ".sig"  # after the manifest's name


class Manifest(Frozen):
    """Names and SHA-256 of the files, and the digest that a controller with them attests."""

    version: str
    protocol: int
    digest: str
    files: dict[str, str]


def describe(files: dict[str, bytes]) -> Manifest:
    """The manifest of these files."""
    return Manifest(
        version=__version__,
        protocol=wire.VERSION,
        digest=attestation.digest(files).hex(),
        files={name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    )


def build(folder: Path, signing_key: Path | None) -> Manifest:
    """Put firmware, manifest and, with a key, its signature into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.py"), *folder.glob(NAME + "*")):
        old.unlink()
    files = attestation.files()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = describe(files)
    data = (manifest.model_dump_json(indent=1) + "\n").encode()
    (folder / NAME).write_bytes(data)
    if signing_key is not None:
        signature = nacl().signing.SigningKey(_key_of(signing_key)).sign(data).signature
        (folder / (NAME + SIGNATURE)).write_text(signature.hex() + "\n")
    return manifest


def load(file: Path, verify_key: Path) -> Manifest:
    """A manifest that is signed with this key; BadSignature if it is not."""
    library = nacl()
    public = library.signing.VerifyKey(_key_of(verify_key))
    try:
        data = file.read_bytes()
        signature = file.with_name(file.name + SIGNATURE).read_text("ascii")
        public.verify(data, bytes.fromhex(signature.strip()))
        return Manifest.model_validate_json(data)
    except OSError as error:
        raise BadSignature(f"{error.filename}: {error.strerror}") from None
    except (library.exceptions.CryptoError, ValueError, ValidationError):
        raise BadSignature(f"{file} is not signed with the key in {verify_key}") from None


def new_key(file: Path) -> str:
    """Make a signing key in `file`, readable by its owner only; its verify key."""
    signing = nacl().signing.SigningKey.generate()
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(signing.encode().hex() + "\n")
    return str(signing.verify_key.encode().hex())


def _key_of(file: Path) -> bytes:
    try:
        key = bytes.fromhex(file.read_text("ascii").strip())
    except OSError as error:
        raise BadSignature(f"{file}: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BadSignature(f"{file} must hold 64 hexadecimal digits, nothing else")
    return key


def main() -> None:
    """What `make firmware` runs."""
    parser = argparse.ArgumentParser(prog="python -m redbutton.manifest", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where to put files and manifest")
    parser.add_argument("--signing-key", type=Path, help="sign the manifest with this key")
    parser.add_argument("--new-key", type=Path, help="make a signing key")
    arguments = parser.parse_args()
    try:
        if arguments.new_key:
            print(f"verify key: {new_key(arguments.new_key)}")
        if arguments.folder:
            manifest = build(arguments.folder, arguments.signing_key)
            signed = "signed" if arguments.signing_key else "not signed (SIGNING_KEY=FILE signs)"
            print(f"{arguments.folder}: {len(manifest.files)} files, {signed}")
            print(f"digest {manifest.digest}")
    except (RedbuttonError, OSError) as error:
        raise SystemExit(f"redbutton: {error}") from None


if __name__ == "__main__":
    main()
