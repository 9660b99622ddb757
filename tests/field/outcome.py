"""What came of a case, and what would be right."""

import io
import threading
from dataclasses import dataclass, field

import pypdfium2
from PIL import Image, ImageColor

Spot = tuple[int, int]

#: In CSS pixels: inside the default viewport, and inside an A4 page.
CENTRE = (600, 600)
#: Inside the box that a page has in its upper left corner.
CORNER = (50, 50)

_NAMES = ("lime", "red", "gold", "blue", "white", "black")
_COLOURS = {ImageColor.getrgb(name): name for name in _NAMES}
#: PDFium is not to be called by two threads at once.
_PDFIUM = threading.Lock()
_POINTS_PER_INCH, _PIXELS_PER_INCH = 72, 96


@dataclass(frozen=True)
class Outcome:
    """A picture, in CSS pixels (of a PDF, its first page), or the code of an error."""

    picture: Image.Image | None = None
    error: str = ""
    milliseconds: float = 0

    @classmethod
    def of_file(cls, data: bytes, milliseconds: float) -> "Outcome":
        if not data.startswith(b"%PDF"):
            return cls(Image.open(io.BytesIO(data)).convert("RGB"), "", milliseconds)
        with _PDFIUM:
            document = pypdfium2.PdfDocument(data)
            drawn = document[0].render(scale=_PIXELS_PER_INCH / _POINTS_PER_INCH).to_pil()
            document.close()
        return cls(drawn.convert("RGB"), "", milliseconds)

    def colour_at(self, spot: Spot) -> str:
        """The name of a colour, or its value."""
        if self.picture is None:
            return self.error
        red, green, blue = self.picture.getpixel(spot)  # type: ignore[misc]
        return _COLOURS.get((red, green, blue), f"#{red:02x}{green:02x}{blue:02x}")


@dataclass(frozen=True)
class Shows:
    """A picture with these colours at these spots, by their names; False for any error."""

    colours: dict[Spot, str] = field(hash=False)

    def __call__(self, outcome: Outcome) -> bool:
        return outcome.picture is not None and all(
            outcome.colour_at(spot) == colour for spot, colour in self.colours.items()
        )

    def describe(self, outcome: Outcome) -> str:
        """What the outcome has at the spots."""
        if outcome.picture is None:
            return outcome.error
        return _listed([outcome.colour_at(spot) for spot in self.colours])

    def __str__(self) -> str:
        return _listed(list(self.colours.values()))


@dataclass(frozen=True)
class Fails:
    """An error of this code."""

    code: str

    def __call__(self, outcome: Outcome) -> bool:
        return outcome.error == self.code

    def describe(self, outcome: Outcome) -> str:
        return outcome.error or f"a picture, {outcome.colour_at(CENTRE)}"

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True)
class Either:
    """One of several."""

    choices: tuple["Right", ...]

    def __call__(self, outcome: Outcome) -> bool:
        return any(choice(outcome) for choice in self.choices)

    def describe(self, outcome: Outcome) -> str:
        return self.choices[0].describe(outcome)

    def __str__(self) -> str:
        return " or ".join(map(str, self.choices))


Right = Shows | Fails | Either


def shows(colour: str, corner: str | None = None) -> Shows:
    """A page of this colour, and with another one in its corner."""
    at_corner = {} if corner is None else {CORNER: corner}
    return Shows({**at_corner, CENTRE: colour})


def either(*choices: Right) -> Either:
    return Either(choices)


def _listed(colours: list[str]) -> str:
    """Colours in words, each once where all are the same."""
    return ", ".join(colours if len(set(colours)) > 1 else colours[:1])
