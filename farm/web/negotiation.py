"""How a render is answered, by the request's headers: as what, how fresh, and whether at all."""

from farm.errors import NotAcceptable
from farm.formats import ZIP, Format

_JSON_RANGES = ("application/json", "application/*", "*/*")
MULTIPART = "multipart/mixed"


def wants_file(accept: str | None, format_: Format) -> bool:
    """True for raw bytes, False for JSON. Raises `NotAcceptable`.

    The file is answered where its type (or `image/*` for an image) is named at least as strongly
    as JSON itself; `*/*` and nothing mean JSON.
    """
    return _wanted(accept, [format_.media_type.partition(";")[0]]) is not None


def wants_files(accept: str | None) -> str | None:
    """The media type that several files are answered as: ZIP's or `MULTIPART`; None for JSON.

    By the same rules.
    """
    return _wanted(accept, [MULTIPART, ZIP.media_type])


def _wanted(accept: str | None, media_types: list[str]) -> str | None:
    ranges = _parse(accept or "*/*")
    best = max(media_types, key=lambda media_type: _quality(ranges, media_type))
    quality = _quality(ranges, best)
    if quality > 0 and quality >= ranges.get("application/json", 0.0):
        return best
    if any(ranges.get(name, 0.0) > 0 for name in _JSON_RANGES):
        return None
    raise NotAcceptable(
        f"The answer would be {' or '.join([*media_types, 'JSON'])}, and Accept allows neither."
    )


def _quality(ranges: dict[str, float], media_type: str) -> float:
    """Of a file's media type; `*/*` and `application/*` mean JSON."""
    kind = media_type.partition("/")[0]
    names = {media_type, f"{kind}/*"} if kind in ("image", "multipart") else {media_type}
    return max((ranges.get(name, 0.0) for name in names), default=0.0)


def wants_anew(cache_control: str | None) -> bool:
    """Whether the answer must be no older than the request (RFC 9111, `no-cache`)."""
    if cache_control is None:
        return False
    return any(part.strip().lower() == "no-cache" for part in cache_control.split(","))


def names_html(accept: str | None) -> bool:
    """Whether the client asks for HTML by its name, as browsers do."""
    return _parse(accept or "").get("text/html", 0.0) > 0


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether the client says that it can read gzip (RFC 9110, 12.5.3)."""
    codings = _parse(accept_encoding or "")
    return codings.get("gzip", codings.get("*", 0.0)) > 0


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
