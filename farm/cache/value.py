"""Encodes a file for Redis: a line of JSON that describes the file, then its bytes.

`Store` and `RenderOnce` call it. A value is accepted only if all its parts agree: it may come from
another version of the farm or another program, or be incomplete.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from farm.formats import Format
from farm.policy import Refusal
from farm.request import CacheUse, RenderResult, Timings

#: The number is raised with every change of the encoding.
_MAGIC = b"farm-cache 2 "
#: The head may contain a report.
_MAX_HEAD_BYTES = 1 << 18
_TAG = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Stored:
    """A kept file, with its age when it was read."""

    content: bytes
    format: Format
    width: int
    height: int
    tag: str
    refusals: tuple[Refusal, ...]
    facts: Mapping[str, Any]
    age_ms: int
    #: The time until it expires.
    left_ms: int

    @classmethod
    def of(cls, result: RenderResult, tag: str, ttl_ms: int) -> Self:
        """A file that has just been kept."""
        refusals = tuple(Refusal(**refusal) for refusal in result.blocked)
        sides = result.width, result.height
        return cls(result.data, result.format, *sides, tag, refusals, result.facts, 0, ttl_ms)

    def result(self, use: CacheUse) -> RenderResult:
        return RenderResult(
            self.content,
            self.format,
            self.width,
            self.height,
            Timings(),
            self.refusals,
            facts=self.facts,
            cache=use,
        )


def tag_of(data: bytes) -> str:
    """A digest of a file, for its `ETag`."""
    return hashlib.sha256(data).hexdigest()[:32]


def encode(key: str, result: RenderResult, tag: str, ttl_ms: int) -> bytes:
    """The value to store under `key` for `ttl_ms`."""
    head = {
        "key": key,
        "format": result.format.name,
        "width": result.width,
        "height": result.height,
        "tag": tag,
        "ttlMs": ttl_ms,
        "size": result.size,
        "crc": zlib.crc32(result.data),
        "refusals": result.blocked,
        "facts": dict(result.facts),
    }
    return _MAGIC + json.dumps(head, separators=(",", ":")).encode() + b"\n" + result.data


def decode(key: str, value: bytes, left_ms: int, formats: Mapping[str, Format]) -> Stored | None:
    """The file that `encode` wrote under the same key; None if the value is not such a file.

    `left_ms`: the key's time to live in Redis. The file's age follows from it, so that only Redis's
    clock counts.
    """
    end = value.find(b"\n", 0, _MAX_HEAD_BYTES)
    if not value.startswith(_MAGIC) or end < 0 or left_ms < 0:
        return None
    try:
        head = json.loads(value[len(_MAGIC) : end])
        content = value[end + 1 :]
        if (
            head["key"] != key
            or head["size"] != len(content)
            or head["crc"] != zlib.crc32(content)
            or not _are_counts(head["width"], head["height"], head["ttlMs"])
            or not _TAG.fullmatch(head["tag"])
        ):
            return None
        return Stored(
            content,
            formats[head["format"]],
            head["width"],
            head["height"],
            head["tag"],
            tuple(Refusal(str(r["host"]), str(r["reason"])) for r in head["refusals"]),
            dict(head["facts"]),
            max(0, head["ttlMs"] - left_ms),
            left_ms,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _are_counts(*values: object) -> bool:
    return all(type(value) is int and 0 < value < 1 << 31 for value in values)
