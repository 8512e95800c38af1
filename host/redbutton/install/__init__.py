"""Putting redbutton on a robot's computer: `redbutton install`.

`layout.py` says where everything is, `seal.py` tells files that people have changed, `steps.py` is
what is done, in order. The templates are links to `udev/`; a wheel holds the files themselves.
"""
