def rule(serial: str, name: str = "redbutton") -> str:
    return ""
