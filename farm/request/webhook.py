"""The request's field `webhook`, beside `options`: where the end of the job is reported.

Its URL and headers are secrets, so no message and no `repr` contains them.
"""

from typing import Literal

from pydantic import field_validator

from farm.parsing import parse_url
from farm.request.group import Group, option, problem
from farm.request.headers import OF_THE_CONNECTION, check_headers, headers_option
from farm.request.source import URL_SCHEMA
from farm.webhooks import EVENTS, Event, Target

MAX_HEADERS = 20
#: The queue's Redis keeps the headers until the job's record expires.
_MAX_HEADERS_BYTES = 8_192
#: Headers that the farm sets itself in each delivery.
_OWN_HEADERS = ("content-type", "content-encoding", "user-agent", "accept-encoding")
_OWN_PREFIXES = ("webhook-", "x-farm-", "proxy-")


class Webhook(Group):
    url: str = option(
        ...,
        "Where the end of the job is reported: an absolute http or https URL, without user name "
        "and password, that the egress policy allows.",
        schema=URL_SCHEMA,
        repr=False,
    )
    headers: dict[str, str] = headers_option("Headers of the request that reports it.", MAX_HEADERS)
    events: tuple[Event, ...] = option(
        EVENTS,
        "The ends of a job that are reported.",
        max_length=len(EVENTS),
        schema={"minItems": 1},
    )
    send: Literal["record", "file"] = option(
        "record",
        "What is sent: the job's record, or the file itself (of a job without one, the record).",
    )

    @field_validator("url")
    @classmethod
    def _absolute_http(cls, url: str) -> str:
        return parse_url(url)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        check_headers(headers, _MAX_HEADERS_BYTES, _check_name)
        return headers

    @field_validator("events")
    @classmethod
    def _sorted(cls, events: tuple[Event, ...]) -> tuple[Event, ...]:
        if not events:
            raise problem("must name at least one")
        # In a fixed order, so that the order in the request does not make requests unequal.
        return tuple(event for event in EVENTS if event in events)

    @property
    def target(self) -> Target:
        return Target(self.url, self.events, headers=self.headers, body=self.send)


def _check_name(name: str, lower: str, _: str) -> None:
    if lower in OF_THE_CONNECTION or lower in _OWN_HEADERS or lower.startswith(_OWN_PREFIXES):
        raise problem(f"{name} is set by the farm alone")
