"""The result of a capture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.request.result import size_of

#: PNGs in base64, in rows.
Tiles = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Captured:
    """A captured file. `width` and `height` are a picture's in pixels, else the viewport's."""

    #: The file, in base64 or not; empty if there are tiles.
    content: str | bytes
    width: int
    height: int
    #: The tiles of a picture that must still be joined, resized or encoded
    #: (`farm.render.finishing`).
    tiles: Tiles = ()
    #: Further facts for the answer (`RenderResult.facts`).
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes of the file, or of its tiles."""
        tiles = (tile for row in self.tiles for tile in row)
        return sum(map(size_of, (self.content, *tiles)))
