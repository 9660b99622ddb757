"""What the page is: its HTML, or where it is."""

from typing import Any

from pydantic import ValidationInfo, field_validator

from farm.errors import Problem
from farm.parsing import MAX_URL_LENGTH, parse_url
from farm.request.group import Group, limits_of, option, problem
from farm.request.problems import NO_HTML, NO_PAGE, NO_URL

#: The fields that may name a request's page.
HTML = ("html",)
URL = ("url",)
HTML_OR_URL = ("html", "url")
#: What JSON Schema can say of what `parse_url` takes.
URL_SCHEMA = {
    "format": "uri",
    "maxLength": MAX_URL_LENGTH,
    "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^/\\?#\x00-\x20\x7f][^\\\x00-\x20\x7f]*$",
}
_MISSING = {HTML: NO_HTML, URL: NO_URL, HTML_OR_URL: NO_PAGE}


class Source(Group):
    """Fields of the request itself, beside `options`."""

    html: str | None = option(None, "The page's HTML; not together with `url`.")
    url: str | None = option(
        None,
        "Where the page is: an absolute http or https URL, without a user name and a password "
        "unless `FARM_URL_CREDENTIALS` allows them.",
        schema=URL_SCHEMA,
    )

    @field_validator("html")
    @classmethod
    def _whole_characters(cls, html: str) -> str:
        # JSON can spell half of a surrogate pair; nothing behind this point could encode it.
        try:
            html.isascii() or html.encode()
        except UnicodeEncodeError:
            raise problem("must be valid Unicode: it has half of a surrogate pair") from None
        return html

    @field_validator("url")
    @classmethod
    def _absolute_http(cls, url: str, info: ValidationInfo) -> str:
        return parse_url(url, credentials=limits_of(info).url_credentials)


def check_source(fields: dict[str, Any], sources: tuple[str, ...]) -> list[Problem]:
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
        problems.insert(0, _MISSING[sources])
    if len(given) > 1:
        problems.append(Problem("url", "not together with html"))
        del fields["url"]
    return problems
