"""Large plain letters, five rows high, for the names of states."""

HEIGHT = 5
WIDTH = 6  # with the gap
FONT = {
    "A": " ### |#   #|#####|#   #|#   #",
    "C": " ####|#    |#    |#    | ####",
    "D": "#### |#   #|#   #|#   #|#### ",
    "E": "#####|#    |#### |#    |#####",
    "G": " ####|#    |#  ##|#   #| ####",
    "I": "#####|  #  |  #  |  #  |#####",
    "K": "#   #|#  # |###  |#  # |#   #",
    "L": "#    |#    |#    |#    |#####",
    "N": "#   #|##  #|# # #|#  ##|#   #",
    "O": " ### |#   #|#   #|#   #| ### ",
    "P": "#### |#   #|#### |#    |#    ",
    "R": "#### |#   #|#### |#  # |#   #",
    "S": " ####|#    | ### |    #|#### ",
    "T": "#####|  #  |  #  |  #  |  #  ",
    "U": "#   #|#   #|#   #|#   #| ### ",
    " ": "     |     |     |     |     ",
}


def large(text: str, ink: str = "#") -> list[str]:
    """The text in letters of FONT, HEIGHT lines of WIDTH times its length."""
    rows = [FONT[letter].split("|") for letter in text]
    return [" ".join(letter[i] for letter in rows).replace("#", ink) for i in range(HEIGHT)]
