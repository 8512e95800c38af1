"""The terminal's live view: `history` keeps what was measured, `view` draws it, `keys` says what
keys do, `live` is the only part that touches a terminal.
"""
