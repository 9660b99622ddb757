"""How a render is answered, by the request's headers: as what, how fresh, and whether at all."""

from farm.errors import NotAcceptable
from farm.formats import Format

_JSON_RANGES = ("application/json", "application/*", "*/*")


def wants_file(accept: str | None, format_: Format) -> bool:
    """True for raw bytes, False for JSON. Raises `NotAcceptable`.

    The file is answered where its type (or `image/*` for an image) is named at least as strongly
    as JSON itself; `*/*` and nothing mean JSON.
    """
    ranges = _parse(accept or "*/*")
    media_type = format_.media_type.partition(";")[0]
    names = {media_type} | ({"image/*"} if media_type.startswith("image/") else set())
    file_quality = max((ranges.get(name, 0.0) for name in names), default=0.0)
    if file_quality > 0 and file_quality >= ranges.get("application/json", 0.0):
        return True
    if any(ranges.get(name, 0.0) > 0 for name in _JSON_RANGES):
        return False
    raise NotAcceptable(f"The answer would be {media_type} or JSON, and Accept allows neither.")


def wants_anew(cache_control: str | None) -> bool:
    """Whether the answer must be no older than the request (RFC 9111, `no-cache`)."""
    if cache_control is None:
        return False
    return any(part.strip().lower() == "no-cache" for part in cache_control.split(","))


def has_tag(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has what `etag` names (RFC 9110, `If-None-Match`: the weak comparison)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


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
