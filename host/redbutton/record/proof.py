"""Proofs for a third party who has a checkpoint and not the log (RFC 9162, 2.1.3 and 2.1.4)."""

import json
from collections.abc import Sequence
from typing import Any

from redbutton.errors import RecordWrong
from redbutton.record import checkpoint, entry
from redbutton.record.audit import Keys, Report
from redbutton.record.checkpoint import Signed
from redbutton.record.entry import EntryWrong
from redbutton.record.tree import (
    consistency,
    consistent,
    included,
    inclusion,
    leaf_hash,
)

SIZE_MAX = 1 << 20


def prove_entry(bodies: Sequence[bytes], sequence: int, signed: Signed) -> dict[str, Any]:
    """That an entry is under a checkpoint. `bodies`: of the log's entries, from the first."""
    size = signed.checkpoint.size
    if not 0 < sequence <= min(size, len(bodies)):
        raise RecordWrong(f"entry {sequence} is not among the {size} under that checkpoint")
    leaves = [leaf_hash(body) for body in bodies[:size]]
    return {
        "proof": "inclusion",
        "entry": bodies[sequence - 1].decode(),
        "path": [node.hex() for node in inclusion(leaves, sequence - 1)],
        "checkpoint": signed.note,
    }


def prove_growth(bodies: Sequence[bytes], first: Signed, second: Signed) -> dict[str, Any]:
    """That the log under the first checkpoint is the beginning of that under the second."""
    size = second.checkpoint.size
    if not 0 < first.checkpoint.size <= size <= len(bodies):
        raise RecordWrong("the first checkpoint must be the older one, and of this log")
    leaves = [leaf_hash(body) for body in bodies[:size]]
    return {
        "proof": "consistency",
        "path": [node.hex() for node in consistency(leaves, first.checkpoint.size)],
        "first": first.note,
        "second": second.note,
    }


def is_proof(data: bytes) -> bool:
    """Whether a file holds a proof."""
    try:
        return "proof" in json.loads(data)
    except (ValueError, TypeError, RecursionError):
        return False


def check(data: bytes, keys: Keys, copies: Sequence[Signed]) -> Report:
    """The report on a proof. Its newest checkpoint must be signed by a key that the verifier
    holds, or be one that a witness has kept: else it proves nothing."""
    report = Report()
    try:
        proof = json.loads(data)
        path = [bytes.fromhex(node) for node in proof["path"]]
        if proof["proof"] == "inclusion":
            anchor = checkpoint.read(proof["checkpoint"])
            body = proof["entry"].encode("ascii")
            sequence = entry.decode(body).sequence
            made = anchor.checkpoint
            if not included(leaf_hash(body), sequence - 1, made.size, path, made.root):
                report.fault(f"entry {sequence} is not under this checkpoint", sequence)
        else:
            first, anchor = checkpoint.read(proof["first"]), checkpoint.read(proof["second"])
            old, made = first.checkpoint, anchor.checkpoint
            same = old.origin == made.origin
            if not same or not consistent(old.size, old.root, made.size, made.root, path):
                report.fault("the log under the first checkpoint is not the beginning of this one")
            if not _anchored(first, keys, copies):
                report.fault("nothing vouches for the first checkpoint")
    except (ValueError, KeyError, TypeError, AttributeError, EntryWrong):
        raise RecordWrong("it is no proof") from None
    report.entries, report.root = made.size, made.root.hex()
    if not _anchored(anchor, keys, copies):
        report.fault(
            "nothing vouches for the checkpoint: name the log's key, the controller's, or a "
            "witness's copy of this checkpoint"
        )
    return report


def _anchored(signed: Signed, keys: Keys, copies: Sequence[Signed]) -> bool:
    made = signed.checkpoint
    if any(
        (copy.checkpoint.size, copy.checkpoint.root) == (made.size, made.root) for copy in copies
    ):
        return True
    if keys.public is not None and signed.signed_by(keys.public):
        return True
    return keys.witness is not None and any(
        said.digest == made.digest and said.authentic(keys.witness) for said in signed.statements()
    )
