"""Two pictures compared pixel by pixel, and a sheet that shows what has changed."""

from farm.comparing.difference import Difference, NoPicture, compare, is_picture
from farm.comparing.sheet import Side, draw_sheet

__all__ = ["Difference", "NoPicture", "Side", "compare", "draw_sheet", "is_picture"]
