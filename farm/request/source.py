"""The page of a request: its HTML, Markdown or URL, its address, and its files."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Tag, ValidationInfo, field_validator

from farm.errors import Problem
from farm.parsing import MAX_URL_LENGTH, parse_url
from farm.request.group import Group, limits_of, option, problem
from farm.request.problems import NO_CONTENT, NO_HTML, NO_PAGE, NO_SOURCE, NO_URL

#: The fields that may name a request's page.
HTML = ("html", "markdown")
URL = ("url",)
HTML_OR_URL = ("html", "url", "markdown")
#: The rules of `parse_url`, as far as JSON Schema can express them.
URL_SCHEMA = {
    "format": "uri",
    "maxLength": MAX_URL_LENGTH,
    "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^/\\?#\x00-\x20\x7f][^\\\x00-\x20\x7f]*$",
}
#: Fields that are only for a page whose content is in the request.
OF_CONTENT = ("baseUrl", "assets")
_MAX_ASSETS = 256
_MAX_NAME = 500
MAX_CONTENT_TYPE = 200
#: Characters that a relative path must not contain: control characters, and those that begin a
#: query or a fragment, and the backslash.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f?#\\]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
#: https://mimesniff.spec.whatwg.org/#valid-mime-type, but less strict about parameters.
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:[ \t]*;[\x20-\x7e]*)?", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*", re.ASCII)
#: Characters of base64 that are matched in one call, during which no other thread runs. A multiple
#: of four.
_PIECE = 1 << 20


def _relative(name: str) -> str:
    # URL parsers read `%2e` as a dot.
    plain = re.sub("%2e", ".", name, flags=re.IGNORECASE)
    is_relative = (
        0 < len(name) <= _MAX_NAME
        and not _NOT_IN_NAMES.search(name)
        and not _SCHEME.match(name)
        and not any(part in ("", ".", "..") for part in plain.split("/"))
    )
    if not is_relative:
        raise problem(
            f"its name must be a relative path of 1 to {_MAX_NAME} characters, such as css/a.css, "
            "without . and .. as parts, backslash, query or fragment"
        )
    return _whole(name)


def _whole(text: str) -> str:
    # JSON can express half of a surrogate pair, which later code could not encode.
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise problem("must be valid Unicode: it has half of a surrogate pair") from None
    return text


def _base64(text: str) -> str:
    """The text without line breaks. It is not decoded, since the browser accepts base64."""
    if "\n" in text or "\r" in text:
        text = text.replace("\r", "").replace("\n", "")
    end = len(text) - text[-2:].count("=")
    pieces = range(0, end, _PIECE)
    is_base64 = all(_BASE64.fullmatch(text, at, min(at + _PIECE, end)) for at in pieces)
    if len(text) % 4 or not is_base64:
        raise problem("must be base64 (A-Z a-z 0-9 + / and = at the end)")
    return text


Base64 = Annotated[str, AfterValidator(_base64)]


def check_media_type(content_type: str) -> str:
    """The media type. Raises a problem if it is not valid."""
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise problem("must be a media type such as image/png")
    return content_type


class Asset(Group):
    """A file that is not text, or whose type does not follow from its name."""

    base64: Base64 = option(..., "The file's bytes, in base64.")
    content_type: str | None = option(
        None,
        "The file's media type. Default: by the suffix of the name.",
        max_length=MAX_CONTENT_TYPE,
    )

    @field_validator("content_type")
    @classmethod
    def _media_type(cls, content_type: str) -> str:
        return check_media_type(content_type)


def _kind(value: object) -> str:
    return "[text]" if isinstance(value, str) else "[file]"


#: Tags in brackets, so that `problems` leaves them out of an error's path.
_Asset = Annotated[
    Annotated[str, AfterValidator(_whole), Tag("[text]")] | Annotated[Asset, Tag("[file]")],
    Discriminator(_kind),
]
_Name = Annotated[str, AfterValidator(_relative)]


class Source(Group):
    """The fields beside `options` that describe the page."""

    html: str | None = option(None, "The page's HTML; not together with `url`.")
    url: str | None = option(
        None,
        "Where the page is: an absolute http or https URL, without a user name and a password "
        "unless `FARM_URL_CREDENTIALS` allows them.",
        schema=URL_SCHEMA,
    )
    markdown: str | None = option(
        None,
        "The page as Markdown: CommonMark, and GitHub's tables, strikethrough, links, task lists, "
        "footnotes and highlighted code; not together with `html` or `url`.",
    )
    base_url: str | None = option(
        None,
        "The address that a page of `html` or `markdown` has: relative links, cookies, `fetch` and "
        "storage work as on that site. The page itself is not loaded from there.",
        schema=URL_SCHEMA,
    )
    assets: dict[_Name, _Asset] = option(
        {},
        "Files that the page refers to by a relative name (`logo.png`, `css/a.css`): text, or an "
        "object with `base64` and `contentType`.",
        max_length=_MAX_ASSETS,
    )

    @field_validator("html", "markdown")
    @classmethod
    def _whole_characters(cls, text: str) -> str:
        return _whole(text)

    @field_validator("url")
    @classmethod
    def _absolute_http(cls, url: str, info: ValidationInfo) -> str:
        return parse_url(url, credentials=limits_of(info).url_credentials)

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str, info: ValidationInfo) -> str:
        if info.data.get("url") is not None:
            raise problem("not together with url")
        # No credentials: a page with a password in its address cannot fetch relative URLs.
        return parse_url(url)

    @field_validator("assets")
    @classmethod
    def _of_content(cls, assets: dict[str, str | Asset], info: ValidationInfo) -> Any:
        if assets and info.data.get("url") is not None:
            raise problem("not together with url")
        # Sorted, so that the order of the files does not make requests unequal.
        return dict(sorted(assets.items()))


def check_source(fields: dict[str, Any], sources: tuple[str, ...]) -> list[Problem]:
    """Check that `fields` name exactly one page, with one of `sources`.

    Returns the problems, and removes the wrong fields from `fields`.
    """
    problems = []
    unknown = set(HTML_OR_URL) - set(sources)
    if sources == URL:
        unknown |= set(OF_CONTENT)
    for name in sorted(unknown & set(fields)):
        problems.append(Problem(name, "unknown field"))
        del fields[name]
    is_markdown = fields.get("markdown") is not None
    for name in sources:
        if fields.get(name) in (None, ""):
            fields.pop(name, None)
    given = [name for name in sources if name in fields]
    if not given:
        problems.insert(0, _missing(sources, is_markdown))
    for name in given[1:]:
        problems.append(Problem(name, f"not together with {given[0]}"))
        del fields[name]
    return problems


def _missing(sources: tuple[str, ...], is_markdown: bool) -> Problem:
    """`is_markdown`: the request has the field `markdown`, but it is empty."""
    if "html" not in sources:
        return NO_URL
    if "url" not in sources:
        return NO_CONTENT if is_markdown else NO_HTML
    return NO_SOURCE if is_markdown else NO_PAGE
