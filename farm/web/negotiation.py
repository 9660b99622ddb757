"""Whether a render is answered as JSON or as the file itself, by the request's `Accept`."""

from farm.errors import NotAcceptable
from farm.request import Format

_JSON_RANGES = ("application/json", "application/*", "*/*")


def wants_file(accept: str | None, format_: Format) -> bool:
    """True for raw bytes, False for JSON. Raises `NotAcceptable`.

    The file is answered where its type (or `image/*` for an image) is named at least as strongly
    as JSON itself; `*/*` and nothing mean JSON.
    """
    ranges = _parse(accept or "*/*")
    media_type = format_.media_type
    names = {media_type} | ({"image/*"} if media_type.startswith("image/") else set())
    file_quality = max((ranges.get(name, 0.0) for name in names), default=0.0)
    if file_quality > 0 and file_quality >= ranges.get("application/json", 0.0):
        return True
    if any(ranges.get(name, 0.0) > 0 for name in _JSON_RANGES):
        return False
    raise NotAcceptable(f"The answer would be {media_type} or JSON, and Accept allows neither.")


def _parse(accept: str) -> dict[str, float]:
    """Media ranges and their quality; what cannot be read counts as quality 1."""
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 1.0
        if name:
            ranges[name] = max(quality, ranges.get(name, 0.0))
    return ranges
