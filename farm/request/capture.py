"""What is captured: the viewport, the part of the page, the file."""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import field_validator
from pydantic.alias_generators import to_camel

from farm.errors import OutputTooLarge
from farm.formats import FORMATS, MAX_SIDE_PX, NAMES, Format, canonical
from farm.request.group import Group, Limits, option, unknown_value

#: The largest offset and size of a part of a page, in CSS pixels.
_FARTHEST_PX = 10_000_000
_MAX_SELECTOR = 2_000
_PICTURES = [name for name, format_ in FORMATS.items() if format_.is_picture]
_WITH_ALPHA = [name for name in _PICTURES if FORMATS[name].has_alpha]
_WITH_QUALITY = [name for name in _PICTURES if FORMATS[name].quality is not None]


#: Options that select a part of the page. They exclude each other.
PARTS = ("clip", "selector", "full_page")


class Clip(Group):
    """A rectangle of the page. It is measured from the page's top left corner, scrolled or not."""

    x: float = option(..., "The left side of the rectangle.", unit="pixels", ge=0, le=_FARTHEST_PX)
    y: float = option(..., "The upper side of the rectangle.", unit="pixels", ge=0, le=_FARTHEST_PX)
    width: float = option(..., "The width of the rectangle.", unit="pixels", ge=1, le=_FARTHEST_PX)
    height: float = option(
        ..., "The height of the rectangle.", unit="pixels", ge=1, le=_FARTHEST_PX
    )


class Resize(Group):
    """A box that a larger picture is scaled down to. A smaller picture keeps its size."""

    width: int | None = option(
        None, "The greatest width of the picture.", unit="device pixels", ge=1, le=MAX_SIDE_PX
    )
    height: int | None = option(
        None, "The greatest height of the picture.", unit="device pixels", ge=1, le=MAX_SIDE_PX
    )
    fit: Literal["contain", "cover"] = option(
        "contain",
        "`contain`: all of the picture fits into the box. `cover`: it fills the box, and what is "
        "beside it is cut off on both sides.",
    )

    def conflicts(self) -> Iterator[str]:
        if self.width is None and self.height is None:
            yield "must have a width or a height"
        elif self.fit == "cover" and (self.width is None or self.height is None):
            yield "must have a width and a height with cover"


class Capture(Group):
    #: Options that not every format supports.
    OF_SOME_FORMATS: ClassVar[tuple[str, ...]] = (
        *("quality", "optimize_for_speed", "omit_background", *PARTS, "resize"),
    )

    width: int = option(1280, "The width of the viewport.", unit="pixels", ge=1, le=MAX_SIDE_PX)
    height: int = option(720, "The height of the viewport.", unit="pixels", ge=1, le=MAX_SIDE_PX)
    device_scale_factor: float = option(
        1.0, "Device pixels for each CSS pixel; three decimals count.", ge=0.1, le=4
    )
    format: str = option(
        "png", "The format of the file; `jpg` is answered as `jpeg`.", schema={"enum": list(NAMES)}
    )
    quality: int | None = option(
        None,
        "The quality of the picture. Default: "
        + ", ".join(f"{name} {FORMATS[name].quality}" for name in _WITH_QUALITY)
        + "; webp is lossless at 100.",
        ge=1,
        le=100,
    )
    optimize_for_speed: bool = option(
        True, "Compress a png quickly; `false` makes a file about half as large, for more CPU time."
    )
    omit_background: bool = option(
        False,
        "The picture is transparent where the page paints nothing: " + ", ".join(_WITH_ALPHA) + ".",
    )
    clip: Clip | None = option(None, "Capture only this part of the page.")
    selector: str | None = option(
        None,
        "Only the first element that matches this CSS selector; it is waited for.",
        min_length=1,
        max_length=_MAX_SELECTOR,
    )
    full_page: bool = option(False, "Capture the whole page, as far as it can be scrolled.")
    resize: Resize | None = option(None, "The picture is made smaller after it was captured.")

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        known = canonical(name)
        if known is None:
            raise unknown_value("must be one of " + ", ".join(FORMATS))
        return known

    @field_validator("device_scale_factor")
    @classmethod
    def _exact(cls, scale: float) -> float:
        # Rounded, so that tiles of a picture meet at whole device pixels.
        return round(scale, 3)

    @property
    def unsupported(self) -> list[str]:
        """The options that the request sets although the format does not support them."""
        return [n for n in self.OF_SOME_FORMATS if self._sets(n) and not self._supports(n)]

    def capture_conflicts(self) -> Iterator[str]:
        """As `conflicts`, for what depends on the format of a single file."""
        longest = min(self.file_format.max_side_px, MAX_SIDE_PX)
        if max(self.device_px(self.width), self.device_px(self.height)) > longest:
            yield f"{self.format} has sides of at most {longest} pixels"
        if wrong := [name for name in self.unsupported if name in Capture.OF_SOME_FORMATS]:
            yield f"{self.format} has no {', '.join(map(to_camel, wrong))}"
        parts = [name for name in PARTS if self._sets(name) and self._supports(name)]
        if len(parts) > 1:
            first, *others = map(to_camel, parts)
            yield f"{first} is not together with {', '.join(others)}"

    def _sets(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    def _supports(self, name: str) -> bool:
        """Whether the format supports the option."""
        format_ = self.file_format
        match name:
            case "quality":
                return format_.quality is not None
            case "optimize_for_speed":
                return self.format == "png"
            case "omit_background":
                return format_.is_picture and format_.has_alpha
            case "clip" | "selector" | "full_page" | "resize":
                return format_.is_picture
        return True

    @property
    def file_format(self) -> Format:
        return FORMATS[self.format]

    def device_px(self, css_px: float) -> int:
        """The length in device pixels, rounded as Chromium does."""
        # `round` corrects floating-point errors, which could push a half below 0.5.
        return max(1, math.floor(round(css_px * self.device_scale_factor, 6) + 0.5))

    def check_pixels(self, limits: Limits) -> None:
        """Raises `OutputTooLarge` if the image would have more pixels than allowed."""
        self.check_sides(self.width, self.height, limits.max_pixels)
        if self.clip is not None:
            self.check_sides(self.clip.width, self.clip.height, limits.max_pixels)

    def check_sides(self, width: float, height: float, max_pixels: int) -> None:
        """Raises `OutputTooLarge` if an image of so many CSS pixels is too large.

        The limits are `max_pixels` and, unless the image is resized, those of the format.
        """
        sides = self.device_px(width), self.device_px(height)
        _check_pixels(*sides, max_pixels)
        if self.resize is None:
            self.check_file(*sides)

    def check_file(self, width: int, height: int) -> None:
        """Raises `OutputTooLarge` if the format does not allow these sides, in device pixels."""
        format_ = self.file_format
        if max(width, height) > format_.max_side_px:
            raise OutputTooLarge(
                f"The image would be {width:,} × {height:,} pixels; {self.format} has sides of at "
                f"most {format_.max_side_px:,} pixels."
            )
        if format_.max_pixels is not None:
            _check_pixels(width, height, format_.max_pixels, f" in {self.format}")


def _check_pixels(width: int, height: int, most: int, where: str = "") -> None:
    pixels = width * height
    if pixels > most:
        raise OutputTooLarge(
            f"The image would have {pixels:,} pixels; at most {most:,} may be{where}."
        )
