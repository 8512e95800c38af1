"""`redbutton verify`: every reachable state of the decision, checked against the requirements.

`source` loads the text of firmware/decide.py with small limits; `rules` says what the requirements
say, with its own clocks; `search` goes everywhere; `seeds` are bugs to find; `report` tells.
"""
