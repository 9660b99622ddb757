"""Parses JSON and URLs of callers, more strictly than the libraries do.

The web layer and `request` call it, in the threads that handle requests.
"""

import json
import re
from functools import partial
from typing import Any

import ada_url
from pydantic_core import PydanticCustomError

from farm.errors import InvalidRequest, Problem

#: Longer URLs are refused. Common browsers and servers support shorter URLs only.
MAX_URL_LENGTH = 8_192
_WHITE_SPACE = " \t\r\n"
#: A request with the most assets, cookies and blocked URLs has some thousand values. A parsed value
#: takes a hundred times its bytes: 40 MB of unknown fields would take 5 GB and a minute.
MAX_JSON_VALUES = 10_000
#: A JSON string, which may lack its end. The quantifiers are possessive, so it never backtracks.
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

#: The part of a URL before its host, up to the last @ there.
_LOGIN = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\\]*@")


def parse_json_object(body: bytes, what: str = "The body") -> dict[str, Any]:
    """Parse a JSON object strictly: UTF-8, no duplicate names, no NaN. Raises `InvalidRequest`.

    `what` is the subject of the error's sentence.
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
    """Whether a JSON text has more than `MAX_JSON_VALUES` values. It need not be valid JSON."""
    skeleton = _JSON_STRING.sub(b"", text)
    return sum(map(skeleton.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES


def parse_url(url: str, *, credentials: bool = False) -> str:
    """The URL as a browser would load it: absolute, http or https, with a normalised host.

    White space around the URL is removed, and spaces in it are escaped. The WHATWG parser tolerates
    control characters, `http:host`, backslashes and credentials. They are refused here.
    `credentials`: whether the URL may have a user name and a password. Raises `PydanticCustomError`
    of the type `invalid_url`.
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
    # Escaping turns a character that is not ASCII into up to nine.
    if not parsed.hostname or len(href) > MAX_URL_LENGTH:
        raise _bad_url()
    if (parsed.username or parsed.password) and not credentials:
        raise PydanticCustomError("invalid_url", "must not carry a user name or a password")
    return href


def without_secrets(url: str) -> str:
    """A URL from `parse_url`, without user name, password, query and fragment."""
    scheme, _, rest = url.partition("?")[0].partition("#")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def without_login(url: str) -> str:
    """Any URL, also an invalid one, without its user name and password."""
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
