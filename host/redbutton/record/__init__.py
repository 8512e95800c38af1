"""The record: an append-only log of what matters, in which the past cannot be changed unnoticed.

`entry.py` is the format, `tree.py` the Merkle tree (RFC 9162), `checkpoint.py` what is signed, by
the log and by the controller as its witness; `folder.py` is the log on a disk, `writer.py` the
process that alone writes it, `recorder.py` the end of the owner of the port, which never waits;
`diary.py` says what goes in; `audit.py` and `proof.py` are for whoever verifies.
"""
