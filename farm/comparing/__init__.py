"""Compares two pictures pixel by pixel, and draws a sheet that shows the difference.

`farm diff` (the command line) uses it.
"""

from farm.comparing.difference import Difference, NoPicture, compare, is_picture
from farm.comparing.sheet import Side, draw_sheet

__all__ = ["Difference", "NoPicture", "Side", "compare", "draw_sheet", "is_picture"]
