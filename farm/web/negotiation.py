"""Content negotiation and cache headers: how a request's headers decide on the form of the answer.

Resources call these functions with the values of headers. They know no Falcon.
"""

from farm.errors import NotAcceptable
from farm.formats import ZIP, Format

_JSON_RANGES = ("application/json", "application/*", "*/*")
MULTIPART = "multipart/mixed"


def wants_file(accept: str | None, format_: Format) -> bool:
    """Whether to answer with the file (True) or with JSON (False). Raises `NotAcceptable`.

    The answer is the file if `Accept` gives its type (or `image/*` for an image) at least the
    quality of JSON. `*/*` and a missing header mean JSON.
    """
    return _wanted(accept, [format_.media_type.partition(";")[0]]) is not None


def wants_files(accept: str | None) -> str | None:
    """The media type of an answer with several files: ZIP's or `MULTIPART`; None for JSON.

    The rules are those of `wants_file`.
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
    """The quality of a file's media type. `*/*` and `application/*` mean JSON, and do not count."""
    kind = media_type.partition("/")[0]
    names = {media_type, f"{kind}/*"} if kind in ("image", "multipart") else {media_type}
    return max((ranges.get(name, 0.0) for name in names), default=0.0)


def wants_anew(cache_control: str | None) -> bool:
    """Whether the answer must be no older than the request (RFC 9111, `no-cache`)."""
    if cache_control is None:
        return False
    return any(part.strip().lower() == "no-cache" for part in cache_control.split(","))


def names_html(accept: str | None) -> bool:
    """Whether the client names HTML, as browsers do."""
    return _parse(accept or "").get("text/html", 0.0) > 0


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether the client accepts gzip (RFC 9110, 12.5.3)."""
    codings = _parse(accept_encoding or "")
    return codings.get("gzip", codings.get("*", 0.0)) > 0


def has_tag(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the ETag, by RFC 9110's weak comparison."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def _parse(accept: str) -> dict[str, float]:
    """Media ranges and their quality. A quality that is not a number counts as 1."""
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
