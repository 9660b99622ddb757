"""What a render is asked to do, and what comes of it.

A body becomes a `RenderRequest` here, once; from then on only the value is used. Names are
snake_case in Python and camelCase in JSON, and this file is where one becomes the other.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from farm.egress.policy import Refusal
from farm.errors import InvalidRequest, InvalidUrl, OutputTooLarge, Problem
from farm.parsing import parse_json_object, parse_url
from farm.settings import MAX_CACHE_TTL_S

#: The contract's longest side, in CSS pixels.
MAX_SIDE_PX = 16_384
#: How many refusals, and how many unfinished requests, an answer tells of, and how much of a URL.
_MAX_BLOCKED = 20
_MAX_TEXT = 300
#: The fields that may name a request's page.
HTML = ("html",)
URL = ("url",)
HTML_OR_URL = ("html", "url")


class Format(Protocol):
    """What a request must know of an output format."""

    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def max_side_px(self) -> int: ...


@dataclass(frozen=True)
class Limits:
    """What an engine can do; requests are checked against it."""

    formats: Mapping[str, Format]
    deadline_ms: int
    max_pixels: int
    #: Whether a URL may carry a user name and a password.
    url_credentials: bool = False

    def canonical(self, name: str) -> str | None:
        """The format's own name for one of its names (`jpg` → `jpeg`)."""
        for format_ in self.formats.values():
            if name == format_.name or name in format_.aliases:
                return format_.name
        return None


class _Model(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )


Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


class RenderOptions(_Model):
    """How to render: the viewport in CSS pixels, the output, and a wait in milliseconds."""

    width: Side = 1280
    height: Side = 720
    format: str = "png"
    wait_for: Annotated[int, Field(ge=0)] = 0

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str, info: ValidationInfo) -> str:
        limits = _limits(info)
        canonical = limits.canonical(name)
        if canonical is None:
            raise _problem("must be one of " + ", ".join(limits.formats))
        return canonical

    @field_validator("wait_for")
    @classmethod
    def _within_deadline(cls, wait_ms: int, info: ValidationInfo) -> int:
        limits = _limits(info)
        if wait_ms > limits.deadline_ms:
            raise _problem(f"must be an integer from 0 to {limits.deadline_ms} (milliseconds)")
        return wait_ms

    @model_validator(mode="after")
    def _sides_of_format(self, info: ValidationInfo) -> Self:
        limits = _limits(info)
        longest = limits.formats[self.format].max_side_px
        if max(self.width, self.height) > longest:
            raise _problem(f"{self.format} has sides of at most {longest} pixels")
        return self


class CacheOptions(_Model):
    """Whether an answer may be one that was rendered before; beside `options` in a body."""

    #: Seconds for which a file is kept, and how old one may be. 0: none is kept.
    ttl: Annotated[int, Field(ge=0, le=MAX_CACHE_TTL_S)]


class RenderRequest(_Model):
    """One render: HTML or a URL, and the options. Valid by construction."""

    html: str | None = None
    url: str | None = None
    options: RenderOptions = Field(default_factory=RenderOptions.model_construct)
    #: None: the request says nothing about it.
    cache: CacheOptions | None = None

    @field_validator("cache", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise _problem("must be an object")
        return value

    @field_validator("html")
    @classmethod
    def _whole_characters(cls, html: str) -> str:
        # JSON can spell half of a surrogate pair; nothing behind this point could encode it.
        try:
            html.isascii() or html.encode()
        except UnicodeEncodeError:
            raise _problem("must be valid Unicode: it has half of a surrogate pair") from None
        return html

    @field_validator("url")
    @classmethod
    def _absolute_http(cls, url: str, info: ValidationInfo) -> str:
        return parse_url(url, credentials=_limits(info).url_credentials)

    @classmethod
    def parse(cls, body: bytes, sources: tuple[str, ...], limits: Limits) -> Self:
        """The request in a JSON body whose page is named by one of `sources`, `html` and `url`.

        Raises `InvalidRequest` with every problem found, `InvalidUrl` where the URL is the only
        one, and `OutputTooLarge` where the image would have more pixels than allowed.
        """
        fields = parse_json_object(body)
        problems = _check_source(fields, sources)
        try:
            request = cls.model_validate(fields, context=limits)
        except ValidationError as exc:
            problems += [_as_problem(error) for error in exc.errors()]
            if len(problems) == 1 and exc.errors()[0]["type"] == "invalid_url":
                raise InvalidUrl(f"The URL {problems[0].problem}.", problems) from None
            raise InvalidRequest(_summary(problems), problems) from None
        if problems:
            raise InvalidRequest(_summary(problems), problems)
        request.check_pixels(limits)
        return request

    @classmethod
    def from_json(cls, data: bytes, limits: Limits) -> Self:
        """What `to_json` made of a request. Raises `InvalidRequest` if these limits forbid it."""
        try:
            return cls.model_validate_json(data, context=limits)
        except ValidationError as exc:
            raise InvalidRequest(_summary([_as_problem(error) for error in exc.errors()])) from exc

    def to_json(self) -> bytes:
        """The request as one JSON object, the same for requests that are the same."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()

    def without_cache(self) -> Self:
        """The same, rendered anew and not kept, whatever the farm's default is."""
        return self.model_copy(update={"cache": CacheOptions(ttl=0)})

    def identity(self) -> bytes:
        """All that decides what is rendered, the same for requests that are the same."""
        text = self.model_dump_json(by_alias=True, exclude_none=True, exclude={"cache"})
        return text.encode()

    def check_pixels(self, limits: Limits) -> None:
        pixels = self.options.width * self.options.height
        if pixels > limits.max_pixels:
            raise OutputTooLarge(
                f"The image would have {pixels:,} pixels; at most {limits.max_pixels:,} may be."
            )


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
        if isinstance(self.content, bytes):
            return len(self.content)
        return len(self.content) // 4 * 3 - self.content[-2:].count("=")


_NO_PAGE = Problem("html", "missing, and so is url")


def _check_source(fields: dict[str, Any], sources: tuple[str, ...]) -> list[Problem]:
    """Whether exactly one page is named, where it may be; what is wrong leaves `fields`."""
    problems = []
    for name in set(HTML_OR_URL) - set(sources):
        if name in fields:
            problems.append(Problem(name, "unknown field"))
            del fields[name]
    for name in sources:
        if fields.get(name) in (None, ""):
            fields.pop(name, None)
    given = [name for name in sources if name in fields]
    if not given:
        problems.insert(0, _NO_PAGE if sources == HTML_OR_URL else Problem(sources[0], "missing"))
    if len(given) > 1:
        problems.append(Problem("url", "not together with html"))
        del fields["url"]
    return problems


def _limits(info: ValidationInfo) -> Limits:
    assert isinstance(info.context, Limits), "validate with context=limits"
    return info.context


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("problem", "{text}", {"text": text})


def _as_problem(error: ErrorDetails) -> Problem:
    field = ".".join(str(part) for part in error["loc"])
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            text = "missing"
        case "extra_forbidden":
            text = "unknown field"
        case "int_type" | "int_parsing_size":
            text = "must be an integer"
        case "greater_than_equal" | "less_than_equal" if error["loc"][-1] in ("width", "height"):
            text = f"must be an integer from 1 to {MAX_SIDE_PX} (pixels)"
        case "greater_than_equal" | "less_than_equal" if error["loc"][-1] == "ttl":
            text = f"must be an integer from 0 to {MAX_CACHE_TTL_S} (seconds)"
        case "greater_than_equal":
            text = f"must be at least {context['ge']}"
        case "string_type":
            text = "must be a string"
        case "model_type" | "model_attributes_type" | "dict_type":
            text = "must be an object"
        case _:
            text = error["msg"]
    return Problem(field, text)


def _summary(problems: Iterable[Problem]) -> str:
    first, *others = problems
    if first == Problem("html", "missing"):
        sentence = "HTML content is required."
    elif first == _NO_PAGE:
        sentence = "HTML content or a URL is required."
    elif first == Problem("url", "missing"):
        sentence = "A URL is required."
    else:
        sentence = f"{first.field}: {first.problem}."
    return f"{sentence} {len(others)} more in details." if others else sentence
