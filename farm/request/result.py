"""The result of a render: the file, and the facts that answers report.

The engine and the cache make it; the web layer and the job worker read it, in any thread.
"""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from farm.bundle import Member, members
from farm.formats import Format
from farm.policy import DENIED, NO_NETWORK, NOT_PUBLIC, PORT, Refusal

#: The refusals, and the unfinished requests, that an answer lists; and the characters of each URL.
_MAX_BLOCKED = 20
_MAX_TEXT = 300
#: The fact that lists the files of a render with several.
OUTPUTS = "outputs"
#: Permanent refusals of the egress policy. A refusal for another reason (the connections or the
#: bytes of a render, say) may not occur in the next render.
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
    """How the cache was involved in a result.

    `hit`: the file was kept. `joined`: another request's render gave the file. `miss`: it was
    rendered for this request. `off`: it was rendered for this request, and no cache answered.
    """

    outcome: Literal["hit", "miss", "joined", "off"]
    #: A digest of the file.
    tag: str
    #: Seconds since it was rendered.
    age_s: int = 0


@dataclass(frozen=True)
class RenderResult:
    """The rendered file and its facts. Sides are in pixels; those of a PDF are its viewport's."""

    #: The file: in base64 as the browser sends it, or as bytes as the cache keeps it. JSON answers
    #: pass the base64 on without decoding it.
    content: str | bytes
    format: Format
    width: int
    height: int
    timings: Timings
    #: The page's requests that the egress policy has refused, in the order of the attempts.
    refusals: tuple[Refusal, ...] = ()
    #: What the page still waited for when it was captured: URLs, or words.
    unfinished: tuple[str, ...] = ()
    #: The HTTP status of the captured document.
    status: int = 200
    #: Further facts for answers: JSON values by their names in answers.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: The tiles of an unfinished picture, which has no content yet: rows of PNGs in base64.
    tiles: tuple[tuple[str, ...], ...] = ()
    #: Several files that still have to be finished and packed into one (`farm.bundle`).
    parts: "tuple[RenderResult, ...]" = ()
    #: None: the request did not ask for the cache.
    cache: CacheUse | None = None

    @property
    def blocked(self) -> list[dict[str, str]]:
        """The refusals for answers: without duplicates, and a limited number."""
        return [asdict(refusal) for refusal in dict.fromkeys(self.refusals)][:_MAX_BLOCKED]

    @property
    def left_out(self) -> list[str]:
        """`unfinished` for answers: without duplicates, shortened, and a limited number."""
        cut = (text[:_MAX_TEXT] for text in self.unfinished)
        return list(dict.fromkeys(cut))[:_MAX_BLOCKED]

    @property
    def is_reproducible(self) -> bool:
        """Whether the next render would make the same file, as far as that is known."""
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
        """The size of `data` in bytes."""
        return size_of(self.content)

    @property
    def members(self) -> list[Member]:
        """The place of each of several files in `data`, in the order of the fact `outputs`."""
        outputs = self.facts.get(OUTPUTS, ())
        return list(members((told["fileName"], told["size"]) for told in outputs))


def size_of(content: str | bytes) -> int:
    """The size in bytes of a file, which may be given in base64."""
    if isinstance(content, bytes):
        return len(content)
    return len(content) // 4 * 3 - content[-2:].count("=")
