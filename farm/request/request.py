"""The render request: parsed and validated once, and from then on an immutable value.

The web layer and the command line make a request of a body or of fields. The job queue stores it as
JSON, and the job worker reads it again. The cache uses its `identity` as a key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from farm.errors import InvalidRequest, InvalidUrl
from farm.formats import ZIP, Format
from farm.parsing import parse_json_object
from farm.request.actions import Actions
from farm.request.caching import Caching
from farm.request.capture import Capture
from farm.request.emulation import Emulation
from farm.request.failing import Failing
from farm.request.group import CONFLICTS, Limits, conflict, limits_of, option
from farm.request.mocking import Mocking
from farm.request.network import Network, check_own_origin
from farm.request.outputs import MAX_OUTPUTS, File, Output, conflicts
from farm.request.pdf import Pdf
from farm.request.problems import as_problems, summary
from farm.request.source import Source, check_source
from farm.request.waiting import Waiting
from farm.request.webhook import Webhook


class RenderOptions(Waiting, Capture, Emulation, Network, Mocking, Actions, Failing, Pdf):
    """How to render: the options of every group, in one object."""

    OF_SOME_FORMATS: ClassVar[tuple[str, ...]] = (*Capture.OF_SOME_FORMATS, "pdf")

    @model_validator(mode="after")
    def _has_no_conflicts(self, info: ValidationInfo) -> Self:
        texts = list(self.conflicts())
        if not limits_of(info).are_shared:
            texts += self.capture_conflicts()
        if texts:
            raise conflict([("", text) for text in texts])
        return self

    def capture_conflicts(self) -> Iterator[str]:
        yield from super().capture_conflicts()
        if "pdf" in self.unsupported:
            yield f"pdf is for the format pdf, not for {self.format}"
        if self.deterministic and self.format == "mhtml":
            yield "mhtml has the date in it: not together with deterministic"

    def _supports(self, name: str) -> bool:
        return super()._supports(name) if name != "pdf" else self.format == "pdf"


_DEFAULTS = RenderOptions.model_construct()
#: Fields of a request that only a job may have.
OF_JOBS = ("webhook", "priority")
#: Fields of a request that do not change the rendered file.
_NOT_OF_THE_FILE = {"cache", *OF_JOBS}
#: Fields that the queue stores itself. So a worker of an older version, which does not know them,
#: can do the job.
_NOT_STORED = {"priority"}


class RenderRequest(Source):
    """One render: the page and the options. A request that exists is valid."""

    options: RenderOptions = option(_DEFAULTS, "How the page is rendered.")
    outputs: tuple[Output, ...] = option(
        (),
        "Several files of one load: the page is loaded once, and captured in this order, each time "
        "with other options.",
        max_length=MAX_OUTPUTS,
    )
    report: bool = option(False, "Whether JSON answers tell what the page did, lacked and took.")
    cache: Caching | None = option(
        None,
        "Whether the answer may be a file that was rendered before. Default: as "
        "`FARM_CACHE_TTL_S` says.",
    )
    webhook: Webhook | None = option(
        None, "Where the end of the job is reported; only for `/render-async`."
    )
    priority: Literal["high", "normal", "low"] = option(
        "normal",
        "The order among the caller's own jobs; only for `/render-async`. No job overtakes those "
        "of other callers by it.",
    )

    @property
    def page_url(self) -> str | None:
        """The page's address: `url` or `baseUrl`; None if it has none."""
        return self.url or self.base_url

    @field_validator("options")
    @classmethod
    def _have_an_origin(cls, options: RenderOptions, info: ValidationInfo) -> RenderOptions:
        # An invalid address is missing in `data`, and is a problem already: it counts as given.
        check_own_origin(options, [info.data.get(name, "") for name in ("url", "base_url")])
        return options

    @field_validator("outputs")
    @classmethod
    def _can_be_captured(
        cls, outputs: tuple[Output, ...], info: ValidationInfo
    ) -> tuple[Output, ...]:
        if "options" in info.data and (found := conflicts(_files(outputs, info.data["options"]))):
            raise conflict(found)
        return outputs

    @cached_property
    def files(self) -> list[File]:
        """The files to capture: the one of `options`, or each of `outputs`."""
        return _files(self.outputs, self.options) or [File("", self.options)]

    @property
    def format(self) -> Format:
        """The format of the result: that of the file, or ZIP for `outputs`."""
        return ZIP if self.outputs else self.options.file_format

    def check_pixels(self, limits: Limits) -> None:
        """Raises `OutputTooLarge` if an image would have more pixels than allowed."""
        for file in self.files:
            file.options.check_pixels(limits)

    @classmethod
    def parse(cls, body: bytes, sources: tuple[str, ...], limits: Limits) -> Self:
        """The request in a JSON body.

        `sources`: the fields that may name its page, such as `HTML_OR_URL`. Raises `InvalidRequest`
        with every problem found, `InvalidUrl` if the URL is the only problem, and `OutputTooLarge`
        if the image would have more pixels than allowed.
        """
        return cls.from_fields(parse_json_object(body), sources, limits)

    @classmethod
    def from_fields(cls, fields: dict[str, Any], sources: tuple[str, ...], limits: Limits) -> Self:
        """As `parse`, for a body that has been decoded already."""
        problems = check_source(fields, sources)
        try:
            shared = replace(limits, are_shared=bool(fields.get("outputs")))
            request = cls.model_validate(fields, context=shared)
        except ValidationError as exc:
            errors = exc.errors()
            problems += as_problems(cls, errors)
            if len(problems) == 1 and errors[0]["type"] == "invalid_url":
                is_page = problems[0].field == "url"
                sentence = f"The URL {problems[0].problem}." if is_page else summary(problems)
                raise InvalidUrl(sentence, problems) from None
            raise InvalidRequest(summary(problems), problems) from None
        if problems:
            raise InvalidRequest(summary(problems), problems)
        request.check_pixels(limits)
        return request

    @classmethod
    def from_json(cls, data: bytes, limits: Limits) -> Self:
        """The request that `to_json` has stored.

        Raises `InvalidRequest` or `OutputTooLarge` if these limits do not allow it, and
        `OtherVersion` if it is only valid for another version of the farm, which stored it.
        """
        try:
            # The checks of the capture were made before the request was stored.
            shared = replace(limits, are_shared=True)
            request = cls.model_validate_json(data, context=shared)
        except ValidationError as exc:
            errors = exc.errors()
            problems = as_problems(cls, errors)
            if any(error["type"] not in _OF_THE_LIMITS for error in errors):
                raise OtherVersion(summary(problems)) from exc
            raise InvalidRequest(summary(problems), problems) from exc
        request.check_pixels(limits)
        return request

    def to_json(self) -> bytes:
        """The request as a JSON object. Equal requests give equal JSON.

        `priority` is left out, so requests that differ only in it are equal. Defaults are left out
        too. So a version of the farm that does not know an option yet can read a request that does
        not set it. It follows that defaults are part of the contract: changing a default changes
        the meaning of stored requests.
        """
        text = self.model_dump_json(by_alias=True, exclude_defaults=True, exclude=_NOT_STORED)
        return text.encode()

    def with_cache(self, ttl_s: int) -> Self:
        """The request, with `cache.ttl` set unless it sets `cache` itself."""
        if self.cache is not None:
            return self
        return self.model_copy(update={"cache": Caching.model_validate({"ttl": ttl_s})})

    def without_cache(self) -> Self:
        """The request with a `cache.ttl` of 0: always rendered, and not kept."""
        return self.model_copy(update={"cache": Caching.model_validate({"ttl": 0})})

    def identity(self) -> bytes:
        """Everything that decides what is rendered, as bytes that are equal for equal requests."""
        text = self.model_dump_json(by_alias=True, exclude_defaults=True, exclude=_NOT_OF_THE_FILE)
        return text.encode()


def _files(outputs: Iterable[Output], options: RenderOptions) -> list[File]:
    return [
        File(output.name or str(number), output.over(options))
        for number, output in enumerate(outputs, 1)
    ]


#: Errors that different limits or a broken file can cause. Any other error in a stored request (a
#: field, a type, a value or a bound) means that another version of the farm has stored it.
_OF_THE_LIMITS = ("problem", CONFLICTS, "invalid_url", "json_invalid")


class OtherVersion(InvalidRequest):
    """A stored request is only valid for another version of the farm."""
