"""What comes of a render."""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from farm.bundle import Member, members
from farm.formats import Format
from farm.policy import DENIED, NO_NETWORK, NOT_PUBLIC, PORT, Refusal

#: How many refusals, and how many unfinished requests, an answer tells of, and how much of a URL.
_MAX_BLOCKED = 20
_MAX_TEXT = 300
#: The fact that tells of each of several files.
OUTPUTS = "outputs"
#: What the egress policy says for good. What it refuses for other reasons (the connections or the
#: bytes of a render, say) it may allow the next time.
_LASTING = {PORT, DENIED, NO_NETWORK, NOT_PUBLIC}


@dataclass(frozen=True)
class Timings:
    """Milliseconds that a render spent in each of its steps."""

    waiting_ms: float = 0
    loading_ms: float = 0
    settling_ms: float = 0
    capturing_ms: float = 0


@dataclass(frozen=True)
class CacheUse:
    """What the cache had to do with a result.

    `hit`: it was rendered before. `joined`: with another request that was under way. `miss`: for
    this request, while there was a cache. `off`: while there was none.
    """

    outcome: Literal["hit", "miss", "joined", "off"]
    #: A digest of the file.
    tag: str
    #: Seconds since it was rendered.
    age_s: int = 0


@dataclass(frozen=True)
class RenderResult:
    """The rendered file and what is known of it; sides in pixels (of a PDF, its viewport's)."""

    #: The file as the browser sends it, in base64, or as the cache keeps it. JSON answers carry the
    #: former on without decoding it.
    content: str | bytes
    format: Format
    width: int
    height: int
    timings: Timings
    #: What the page asked for and the egress policy refused, in the order of the attempts.
    refusals: tuple[Refusal, ...] = ()
    #: What the page still waited for when it was captured: URLs, or words.
    unfinished: tuple[str, ...] = ()
    #: HTTP's, of the document that was captured.
    status: int = 200
    #: What answers tell besides, by its name there: JSON values.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Of a picture that is not finished, and has no content yet: PNGs in base64, in rows.
    tiles: tuple[tuple[str, ...], ...] = ()
    #: Several files that are yet to be finished, and to be put into one (`farm.bundle`).
    parts: "tuple[RenderResult, ...]" = ()
    #: None: the request was not one for the cache.
    cache: CacheUse | None = None

    @property
    def blocked(self) -> list[dict[str, str]]:
        """The refusals as answers tell them: each once, and not all of very many."""
        return [asdict(refusal) for refusal in dict.fromkeys(self.refusals)][:_MAX_BLOCKED]

    @property
    def left_out(self) -> list[str]:
        """What was unfinished, as answers tell it: each once, cut, and not all of very many."""
        cut = (text[:_MAX_TEXT] for text in self.unfinished)
        return list(dict.fromkeys(cut))[:_MAX_BLOCKED]

    @property
    def is_right(self) -> bool:
        """Whether the next render would make the same file, for all that is known."""
        return (
            not self.unfinished
            and "timedOut" not in self.facts
            and self.status < 400
            and all(refusal.reason in _LASTING for refusal in self.refusals)
        )

    @cached_property
    def base64(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return base64.b64encode(self.content).decode("ascii")

    @cached_property
    def data(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        return base64.b64decode(self.content)

    @property
    def size(self) -> int:
        """Length of `data` in bytes."""
        return size_of(self.content)

    @property
    def members(self) -> list[Member]:
        """Where each of several files is in `data`, in the order of the fact `outputs`."""
        outputs = self.facts.get(OUTPUTS, ())
        return list(members((told["fileName"], told["size"]) for told in outputs))


def size_of(content: str | bytes) -> int:
    """How many bytes a file has that may be in base64."""
    if isinstance(content, bytes):
        return len(content)
    return len(content) // 4 * 3 - content[-2:].count("=")
