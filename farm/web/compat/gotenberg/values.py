"""Parses form values as gotenberg does, with gotenberg's messages for values that it cannot parse.

gotenberg is written in Go, so its messages have the words of Go's packages (`strconv`, `time`,
`encoding/json`). Each function returns the value, or raises `Unreadable` with such a message.
"""

import json
import re
from typing import Any

from farm.parsing import has_too_many_values

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?|[+-]?(?:inf|infinity)|nan",
    re.IGNORECASE | re.ASCII,
)
_LENGTHS_IN = {"pt": 1 / 72, "px": 1 / 96, "in": 1, "mm": 1 / 25.4, "cm": 1 / 2.54, "pc": 1 / 6}
_SPANS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
#: Go counts nanoseconds in 63 bits.
_MAX_SPAN_S = 2**63 / 1e9
_SPAN = re.compile(r"([0-9]*\.?[0-9]*)([^0-9.]*)", re.ASCII)
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_MAX_TEXT = 30
_GO_TYPES = {str: "string", bool: "bool", dict: "object", list: "array"}


class Unreadable(Exception):
    """The value cannot be parsed. `str()` is the reason."""


def boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise Unreadable(f"strconv.ParseBool: parsing {_quoted(text)}: invalid syntax")


def integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Unreadable(f"strconv.Atoi: parsing {_quoted(text)}: invalid syntax")
    return int(text)


def number(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise Unreadable(f"strconv.ParseFloat: parsing {_quoted(text)}: invalid syntax")
    return float(text)


def inches(text: str) -> float:
    """A length with a unit, or in inches."""
    unit = text[-2:]
    if unit in _LENGTHS_IN:
        return number(text[:-2]) * _LENGTHS_IN[unit]
    return number(text)


def seconds(text: str) -> float:
    """A duration such as `1m30s`, `2.5s` or `300ms`, in seconds."""
    wrong = Unreadable(f"time: invalid duration {_quoted(text)}")
    rest = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if rest == "0":
        return 0.0
    total, place = 0.0, 0
    while place < len(rest):
        match = _SPAN.match(rest, place)
        assert match is not None  # every part of the pattern may be empty
        count, unit = match.groups()
        if count in ("", "."):
            raise wrong
        if not unit:
            raise Unreadable(f"time: missing unit in duration {_quoted(text)}")
        if unit not in _SPANS_S:
            raise Unreadable(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
        total += float(count) * _SPANS_S[unit]
        place = match.end()
    if not rest or total > _MAX_SPAN_S:
        raise wrong
    return -total if text.startswith("-") else total


def json_value(text: str) -> Any:
    if has_too_many_values(text.encode(errors="replace")):
        raise Unreadable("it has far more values than such a field can have")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Unreadable(_json_problem(text, exc)) from None


def json_list(text: str, of: type) -> list[Any]:
    """A list of values of one type. As in Go, null is an empty list."""
    value = json_value(text)
    if not isinstance(value, list | None):
        raise Unreadable(_mismatch(value, "a list"))
    for item in value or []:
        if type(item) is not of:
            raise Unreadable(_mismatch(item, f"of type {_go_type(of)}"))
    return value or []


def json_texts(text: str) -> dict[str, str]:
    """An object whose values are texts."""
    value = json_object(text)
    for item in value.values():
        if not isinstance(item, str):
            raise Unreadable(_mismatch(item, "of type string"))
    return value


def json_object(text: str) -> dict[str, Any]:
    value = json_value(text)
    if not isinstance(value, dict | None):
        raise Unreadable(_mismatch(value, "an object"))
    return value or {}


def _mismatch(value: Any, wanted: str) -> str:
    return f"json: cannot unmarshal {_go_type(type(value))} into Go value: it must be {wanted}"


def _go_type(of: type) -> str:
    return _GO_TYPES.get(of, "number")


def _json_problem(text: str, error: Exception) -> str:
    text = text.lstrip(" \t\r\n")
    if not text:
        return "unexpected end of JSON input"
    literal = _LITERALS.get(text[0])
    if literal is None:
        if text[0] in '{["-0123456789':
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "it is not JSON"
            return f"invalid JSON: {reason}"
        return f"invalid character {_character(text[0])} looking for beginning of value"
    for place, expected in enumerate(literal):
        if place == len(text):
            return "unexpected end of JSON input"
        if text[place] != expected:
            found = _character(text[place])
            return f"invalid character {found} in literal {literal} (expecting '{expected}')"
    return f"invalid character {_character(text[len(literal)])} after top-level value"


def _character(character: str) -> str:
    return "'\\''" if character == "'" else f"'{character}'"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
