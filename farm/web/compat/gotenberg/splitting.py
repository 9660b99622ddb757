"""Decides which pages go into which file, by `splitMode`, `splitSpan` and `splitUnify`."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from farm.errors import InvalidRequest
from farm.web.compat.gotenberg.fields import Values

_RANGE = re.compile(r"([0-9]{1,6})?(-)?([0-9]{1,6})?", re.ASCII)
#: A page may be named many times, and each time makes a file.
_MAX_PAGES = 10_000
#: gotenberg's words.
_REFUSED = (
    "The requested split mode is not supported, or no PDF engine could process it. Valid modes: "
    "'intervals', 'pages'."
)


def check(values: Values) -> None:
    """Raises `InvalidRequest` for an invalid span, whatever the document's pages."""
    if values["splitMode"] == "intervals" and not values["splitSpan"]:
        # Go's words for an empty text.
        raise InvalidRequest(
            "Invalid form data: form field 'splitSpan' is invalid (got '', resulting to "
            'strconv.Atoi: parsing "": invalid syntax)'
        )
    if values["splitMode"] == "pages":
        _ranges(values["splitSpan"])


def parts(values: Values, count: int) -> list[Sequence[int]] | None:
    """The pages of each file, counted from 0, for a document of `count` pages.

    None if the document is not split. Raises `InvalidRequest` if the document has none of the
    pages.
    """
    span = values["splitSpan"]
    match values["splitMode"]:
        case "intervals":
            size = int(span)
            return [range(at, min(at + size, count)) for at in range(0, count, size)]
        case "pages":
            wanted = list(islice(_pages(span, count), _MAX_PAGES + 1))
            if not wanted:
                raise InvalidRequest(_REFUSED)
            if len(wanted) > _MAX_PAGES:
                raise InvalidRequest(f"splitSpan names more than {_MAX_PAGES:,} pages.")
            return [wanted] if values["splitUnify"] else [[page] for page in wanted]
    return None


def _pages(span: str, count: int) -> Iterator[int]:
    for first, last in _ranges(span):
        yield from range(first - 1, min(last or count, count))


def _ranges(span: str) -> list[tuple[int, int | None]]:
    """The first and the last page of each range; None for the last page of the document."""
    found: list[tuple[int, int | None]] = []
    for part in span.split(","):
        match = _RANGE.fullmatch(part)
        if match is None or part in ("", "-"):
            raise InvalidRequest(_REFUSED)
        first, dash, last = match.groups()
        start = int(first or 1)
        end = int(last) if last else None if dash else start
        if start < 1 or (end is not None and end < start):
            raise InvalidRequest(_REFUSED)
        found.append((start, end))
    return found
