"""What is captured: the viewport, the part of the page, the file."""

from typing import Self

from pydantic import field_validator, model_validator

from farm.errors import OutputTooLarge
from farm.formats import FORMATS, MAX_SIDE_PX, canonical
from farm.request.group import Group, Limits, option, problem


class Capture(Group):
    width: int = option(1280, "Of the viewport.", unit="pixels", ge=1, le=MAX_SIDE_PX)
    height: int = option(720, "Of the viewport.", unit="pixels", ge=1, le=MAX_SIDE_PX)
    device_scale_factor: float = option(
        1, "Pixels of the picture for each CSS pixel.", ge=0.1, le=4
    )
    format: str = option("png", "Of the file: " + ", ".join(FORMATS) + ".")

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        known = canonical(name)
        if known is None:
            raise problem("must be one of " + ", ".join(FORMATS))
        return known

    @model_validator(mode="after")
    def _sides_of_format(self) -> Self:
        longest = FORMATS[self.format].max_side_px
        if max(self.width, self.height) > longest:
            raise problem(f"{self.format} has sides of at most {longest} pixels")
        return self

    def check_pixels(self, limits: Limits) -> None:
        """Raises `OutputTooLarge` if the image would have more pixels than allowed."""
        pixels = self.width * self.height
        if pixels > limits.max_pixels:
            raise OutputTooLarge(
                f"The image would have {pixels:,} pixels; at most {limits.max_pixels:,} may be."
            )
