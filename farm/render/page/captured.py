"""What a capture gives."""

from dataclasses import dataclass

#: PNGs in base64, in rows.
Tiles = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Captured:
    """The sides are a picture's in pixels, else the viewport's."""

    #: The file, in base64 or not; empty if there are tiles.
    content: str | bytes
    width: int
    height: int
    #: Of a picture that is yet to be joined, made smaller or encoded (`farm.render.finishing`).
    tiles: Tiles = ()
