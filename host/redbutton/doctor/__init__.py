"""Looking at every link between a person's stop and this computer: `redbutton doctor`.

`checks.py` is the table of checks, in the order in which a person would mend what they find, each
a small function of `machine.py`: what can be seen of this computer, or of an image. The functions
are in `setting.py` (what `redbutton install` made), `port.py` (port, controller and who owns it)
and `host.py` (the computer around it).
"""
