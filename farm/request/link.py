"""Makes a `RenderRequest` from a signed link's payload, with the same checks as for a body.

The web layer calls it after it has checked the signature.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from farm.errors import InvalidRequest, Problem
from farm.links import LinkError, unpack
from farm.parsing import parse_json_object
from farm.request.group import Limits
from farm.request.request import OF_JOBS, RenderRequest
from farm.request.source import HTML_OR_URL

EXPIRY = "exp"
MAX_EXPIRY = 1 << 53
#: Fields of a request that a link must not have, each with the reason.
NOT_IN_LINKS = {
    **dict.fromkeys(OF_JOBS, "is for jobs; a link answers with the file itself"),
    "report": "is told in JSON; a link answers with the file itself",
    "outputs": "is not for links, which answer with one file; make a link for each",
}


@dataclass(frozen=True)
class Link:
    """The request in a link, and when the link expires."""

    request: RenderRequest
    #: Seconds since 1970; None: never.
    expires_at: int | None

    @classmethod
    def read(cls, payload: str, limits: Limits) -> Self:
        """Read a payload whose signature is valid. Raises as `RenderRequest.parse` does."""
        try:
            text = unpack(payload)
        except LinkError as exc:
            raise InvalidRequest(str(exc)) from exc
        return cls.from_fields(parse_json_object(text, "The link's request"), limits)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], limits: Limits) -> Self:
        """Read the JSON of a payload. Raises as `RenderRequest.parse` does."""
        fields = dict(fields)
        for name, why in NOT_IN_LINKS.items():
            if name in fields:
                raise InvalidRequest.of(Problem(name, why))
        expires_at = _expiry(fields)
        return cls(RenderRequest.from_fields(fields, HTML_OR_URL, limits), expires_at)


def _expiry(fields: dict[str, Any]) -> int | None:
    """The expiry, which is removed from `fields`."""
    if EXPIRY not in fields:
        return None
    value = fields.pop(EXPIRY)
    if type(value) is not int or not 0 < value <= MAX_EXPIRY:
        raise InvalidRequest.of(
            Problem(EXPIRY, f"must be an integer from 1 to {MAX_EXPIRY} (seconds since 1970)")
        )
    return value
