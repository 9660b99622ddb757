"""A body becomes a `RenderRequest` here, once; from then on only the value is used."""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo, field_validator

from farm.errors import InvalidRequest, InvalidUrl
from farm.parsing import parse_json_object
from farm.request.actions import Actions
from farm.request.caching import Caching
from farm.request.capture import Capture
from farm.request.emulation import Emulation
from farm.request.failing import Failing
from farm.request.group import CONFLICTS, Limits, option
from farm.request.mocking import Mocking
from farm.request.network import Network, check_own_origin
from farm.request.pdf import Pdf
from farm.request.problems import as_problems, summary
from farm.request.source import Source, check_source
from farm.request.waiting import Waiting
from farm.request.webhook import Webhook


class RenderOptions(Waiting, Capture, Emulation, Network, Mocking, Actions, Failing, Pdf):
    """How to render: every group's options, in one object."""

    def conflicts(self) -> Iterator[str]:
        yield from super().conflicts()
        if self.pdf is not None and self.format != "pdf":
            yield f"pdf is for the format pdf, not for {self.format}"
        if self.deterministic and self.format == "mhtml":
            yield "mhtml has the date in it: not together with deterministic"


_DEFAULTS = RenderOptions.model_construct()
#: Fields of a request that change nothing about what is rendered.
_NOT_OF_THE_FILE = {"cache", "webhook"}


class RenderRequest(Source):
    """One render: what the page is, and the options. Valid by construction."""

    options: RenderOptions = option(_DEFAULTS, "How to render it.")
    report: bool = option(False, "Whether JSON answers tell what the page did, lacked and took.")
    cache: Caching | None = option(
        None,
        "Whether it may be a file that was rendered before; left out, `FARM_CACHE_TTL_S` says so.",
    )
    webhook: Webhook | None = option(
        None, "Who is called when the job has ended; of `/render-async` alone."
    )

    @property
    def page_url(self) -> str | None:
        """The address that the page has; None if it has none."""
        return self.url or self.base_url

    @field_validator("options")
    @classmethod
    def _have_an_origin(cls, options: RenderOptions, info: ValidationInfo) -> RenderOptions:
        # One that is not valid is missing in `data`, and is told of already.
        check_own_origin(options, [info.data.get(name, "") for name in ("url", "base_url")])
        return options

    @classmethod
    def parse(cls, body: bytes, sources: tuple[str, ...], limits: Limits) -> Self:
        """The request in a JSON body whose page is named by one of `sources`, as `HTML_OR_URL`.

        Raises `InvalidRequest` with every problem found, `InvalidUrl` where the URL is the only
        one, and `OutputTooLarge` where the image would have more pixels than allowed.
        """
        return cls.from_fields(parse_json_object(body), sources, limits)

    @classmethod
    def from_fields(cls, fields: dict[str, Any], sources: tuple[str, ...], limits: Limits) -> Self:
        """As `parse`, of what has been read already."""
        problems = check_source(fields, sources)
        try:
            request = cls.model_validate(fields, context=limits)
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
        request.options.check_pixels(limits)
        return request

    @classmethod
    def from_json(cls, data: bytes, limits: Limits) -> Self:
        """What `to_json` made of a request.

        Raises `InvalidRequest` or `OutputTooLarge` if these limits forbid it, and `OtherVersion`
        where another version of the farm must have made it, for which it was right.
        """
        try:
            request = cls.model_validate_json(data, context=limits)
        except ValidationError as exc:
            errors = exc.errors()
            problems = as_problems(cls, errors)
            if any(error["type"] not in _OF_THE_LIMITS for error in errors):
                raise OtherVersion(summary(problems)) from exc
            raise InvalidRequest(summary(problems), problems) from exc
        request.options.check_pixels(limits)
        return request

    def to_json(self) -> bytes:
        """The request as one JSON object, the same for requests that are the same.

        What has its default is left out, so that a version of the farm that does not know an option
        yet reads a request that does not ask for it. So defaults are part of the contract: one that
        changes, changes what stored requests mean.
        """
        return self.model_dump_json(by_alias=True, exclude_defaults=True).encode()

    def without_cache(self) -> Self:
        """The same, rendered anew and not kept, whatever the farm's default is."""
        return self.model_copy(update={"cache": Caching.model_validate({"ttl": 0})})

    def identity(self) -> bytes:
        """All that decides what is rendered, the same for requests that are the same."""
        text = self.model_dump_json(by_alias=True, exclude_defaults=True, exclude=_NOT_OF_THE_FILE)
        return text.encode()


#: The errors that other limits, or a broken file, can cause. What else is wrong with a stored
#: request (a field, a type, a value or a bound) was right for the version that took it.
_OF_THE_LIMITS = ("problem", CONFLICTS, "invalid_url", "json_invalid")


class OtherVersion(InvalidRequest):
    """A stored request has what this version of the farm does not know."""
