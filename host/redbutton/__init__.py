"""redbutton: the host's end of an emergency-stop controller for robots driven by planners."""

__version__ = "0.1.0"
