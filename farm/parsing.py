"""Reading what strangers send, more strictly than the readers of JSON and URLs do by themselves."""

import json
import re
from functools import partial
from typing import Any

import ada_url
from pydantic_core import PydanticCustomError

from farm.errors import InvalidRequest, Problem

#: Longer URLs are refused; browsers and servers in use agree on far less.
MAX_URL_LENGTH = 8_192
_WHITE_SPACE = " \t\r\n"
#: Assets, cookies and blocked URLs together are some thousand values. Each takes a hundred times
#: its bytes once it is parsed: 40 MB of unknown fields would take 5 GB and a minute.
MAX_JSON_VALUES = 10_000
#: A JSON string, also one that never ends; possessive, so that it never looks back.
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

#: What comes before the host of a URL, up to the last @ there.
_LOGIN = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\\]*@")


def parse_json_object(body: bytes, what: str = "The body") -> dict[str, Any]:
    """A JSON object, read strictly: UTF-8, no duplicate names, no NaN. Raises `InvalidRequest`.

    `what` it is begins the sentences.
    """
    if has_too_many_values(body):
        raise InvalidRequest(f"{what} has far more values than a request can have.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"{what} is not UTF-8: byte {exc.start} is wrong.") from exc
    duplicates: list[str] = []
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, duplicates),
            parse_constant=partial(_refuse_constant, what),
        )
    except json.JSONDecodeError as exc:
        where = f"{exc.msg[0].lower()}{exc.msg[1:]}, line {exc.lineno} column {exc.colno}"
        raise InvalidRequest(f"{what} is not valid JSON: {where}.") from exc
    except (ValueError, RecursionError) as exc:
        cause = "a number or a nesting in it is out of all bounds"
        raise InvalidRequest(f"{what} is not valid JSON: {cause}.") from exc
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be a JSON object.")
    if duplicates:
        problems = [Problem(name, "given more than once") for name in duplicates]
        raise InvalidRequest(f"{duplicates[0]}: given more than once.", problems)
    return value


def has_too_many_values(text: bytes) -> bool:
    """Whether a JSON text may have far more values than a request can have."""
    skeleton = _JSON_STRING.sub(b"", text)
    return sum(map(skeleton.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES


def parse_url(url: str, *, credentials: bool = False) -> str:
    """The URL as a browser would load it: absolute, http or https, its host normalised.

    White space around it is cut off, and spaces in it are escaped. The WHATWG parser forgives more
    than a service should (control characters, `http:host`, backslashes, credentials): those are
    refused first. `credentials`: whether the URL may carry a user name and a password.
    """
    url = url.strip(_WHITE_SPACE)
    scheme, separator, rest = url.partition("://")
    if (
        len(url) > MAX_URL_LENGTH
        or scheme.lower() not in ("http", "https")
        or not separator
        or not rest
        or rest[0] in "/\\?#"
        or any(character < " " or character in "\x7f\\" for character in url)
    ):
        raise _bad_url()
    try:
        parsed = ada_url.URL(url)
    except (ValueError, UnicodeEncodeError):
        raise _bad_url() from None
    href = str(parsed.href)
    # What is not ASCII takes up to nine characters for one.
    if not parsed.hostname or len(href) > MAX_URL_LENGTH:
        raise _bad_url()
    if (parsed.username or parsed.password) and not credentials:
        raise PydanticCustomError("invalid_url", "must not carry a user name or a password")
    return href


def without_secrets(url: str) -> str:
    """A URL that `parse_url` returned, without user name, password, query and fragment."""
    scheme, _, rest = url.partition("?")[0].partition("#")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def without_login(url: str) -> str:
    """Any URL, of whatever kind, without the user name and the password that it may carry."""
    return _LOGIN.sub(r"\1", url)


def _bad_url() -> PydanticCustomError:
    return PydanticCustomError(
        "invalid_url",
        "must be an absolute http or https URL of at most {length} characters",
        {"length": MAX_URL_LENGTH},
    )


def _object(pairs: list[tuple[str, Any]], duplicates: list[str]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        if name in value and name not in duplicates:
            duplicates.append(name)
        value[name] = item
    return value


def _refuse_constant(what: str, name: str) -> None:
    raise InvalidRequest(f"{what} is not valid JSON: {name} is not a JSON number.")
