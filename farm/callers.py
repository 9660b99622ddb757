"""The API keys of callers, with their names and weights.

The settings read them, and the web layer looks up keys in the threads that handle requests. Only
the SHA-256 of a key is kept. An error message gives the position of a wrong entry, and never its
text.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: The weight of a caller without one, and the largest weight.
_WEIGHT = 1
_MAX_WEIGHT = 100
#: Visible ASCII characters except the comma, which separates the pairs of a setting.
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{16,}")
#: Digits after the last colon are a weight, even if they are meant as a part of the key.
_WITH_WEIGHT = re.compile(r"(.*):([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class ApiKeys:
    """One or more keys. Names and keys are unique."""

    #: The caller's name for the SHA-256 of each key.
    _names: Mapping[bytes, str] = field(repr=False)
    #: The weight for each name.
    _weights: Mapping[str, int] = field(repr=False)

    @classmethod
    def parse(cls, pairs: str) -> Self:
        """Read `name:key` and `name:key:weight` entries, separated by commas.

        Raises `ValueError`, which lists every fault.
        """
        return cls(*_parse("pair", pairs.split(",")))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file: an entry a line, blank lines and `#` comments. Raises as `parse` does."""
        try:
            # Bytes that are not UTF-8 are allowed in comments. In an entry they are a fault.
            text = path.read_text("utf-8-sig", errors="replace")
        except (OSError, ValueError) as exc:  # ValueError: a path with a NUL in it
            reason = exc.strerror if isinstance(exc, OSError) else "it is no path"
            raise ValueError(f"the file cannot be read: {reason}") from exc
        lines = text.split("\n")
        return cls(*_parse("line", ("" if _is_comment(line) else line for line in lines)))

    def name_of(self, key: str) -> str | None:
        """The name of the key's caller; None if there is none. Takes the same time for any key."""
        sent = _digest(key)
        found = None
        for known, name in self._names.items():
            if hmac.compare_digest(sent, known):
                found = name
        return found

    def weight_of(self, name: str | None) -> int:
        """The caller's turns for each turn of a caller of weight 1; 1 for an unknown name."""
        return self._weights.get(name or "", _WEIGHT)


def _parse(place: str, pairs: Iterable[str]) -> tuple[dict[bytes, str], dict[str, int]]:
    problems = []
    names: dict[bytes, str] = {}
    weights: dict[str, int] = {}
    for number, pair in enumerate(pairs, 1):
        if not pair.strip():
            continue
        name, colon, key = pair.strip().partition(":")
        weight = _WEIGHT
        if with_weight := _WITH_WEIGHT.fullmatch(key):
            key, weight = with_weight[1], int(with_weight[2])
        digest = _digest(key)
        if not colon:
            problem = "is not name:key"
        elif not _NAME.fullmatch(name):
            problem = "has a name that is not 1 to 64 letters, digits, dots, dashes or underscores"
        elif not _KEY.fullmatch(key):
            problem = "has a key that is not 16 or more visible ASCII characters without a comma"
        elif name in names.values():
            problem = "has a name that was there before"
        elif digest in names:
            problem = "has a key that was there before"
        elif not 1 <= weight <= _MAX_WEIGHT:
            problem = f"has a weight that is not 1 to {_MAX_WEIGHT}"
        else:
            names[digest], weights[name] = name, weight
            continue
        problems.append(f"{place} {number} {problem}")
    if problems:
        raise ValueError("; ".join(problems))
    if not names:
        raise ValueError("there is no key in it")
    return names, weights


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
