"""`downloadFrom`: files that the form names by URLs. They are treated as files of the form."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from farm.downloading import Downloader
from farm.errors import InvalidRequest, NavigationFailed, NotSupported
from farm.parsing import parse_url
from farm.request.network import ScopedHeaders
from farm.settings import MAX_BODY_BYTES
from farm.web.compat.gotenberg import values
from farm.web.compat.gotenberg.fields import text_of
from farm.web.compat.gotenberg.values import Unreadable
from farm.web.forms import Form, Part

NAME = "downloadFrom"
_MAX_FILES = 20
_FOR_PDF = ("embedded", "watermark", "stamp")


@dataclass(frozen=True)
class _Wanted:
    url: str
    headers: dict[str, str]


def with_downloads(form: Form, downloader: Downloader | None, trace: str) -> Form:
    """The form with the files that it names. A file in the form wins over a download of its name.

    Raises `InvalidRequest`, `NotSupported`, `UrlRefused` and what `Downloader.get` raises.
    """
    text = text_of(form, NAME)
    if not text:
        return form
    wanted = list(_wanted(text))
    if downloader is None:
        raise NotSupported(f"{NAME}: the farm does not download files here; send them.")
    loaded: list[Part] = []
    left, end = MAX_BODY_BYTES, downloader.end()
    for each in wanted:
        part = _load(each, downloader, trace, left, end)
        left -= len(part.data)
        loaded.append(part)
    return replace(form, parts=(*loaded, *form.parts))


def _wanted(text: str) -> Iterator[_Wanted]:
    try:
        entries = values.json_list(text, dict)
    except Unreadable as exc:
        raise InvalidRequest(f"Invalid '{NAME}' form field value: {exc}") from None
    if len(entries) > _MAX_FILES:
        raise InvalidRequest(
            f"Invalid '{NAME}' form field value: more than {_MAX_FILES} files cannot be downloaded"
        )
    for number, entry in enumerate(entries):
        yield _checked(number, entry)


def _checked(number: int, entry: dict[str, Any]) -> _Wanted:
    where = f"Invalid '{NAME}' form field entry {number}: "
    url = entry.get("url")
    if not isinstance(url, str) or not url.strip():
        raise InvalidRequest(f"{where}URL must be set")
    if entry.get("embedded") or entry.get("field") in _FOR_PDF:
        raise NotSupported(f"{NAME}: the farm puts no files into a PDF.")
    try:
        url = parse_url(url)
    except PydanticCustomError as exc:
        raise InvalidRequest(f"{where}URL {exc.message()}") from None
    headers = entry.get("extraHttpHeaders") or {}
    try:
        ScopedHeaders.model_validate({"url": ".", "headers": headers})
    except ValidationError as exc:
        raise InvalidRequest(f"{where}extraHttpHeaders {exc.errors()[0]['msg']}") from None
    return _Wanted(url, headers)


def _load(wanted: _Wanted, downloader: Downloader, trace: str, max_bytes: int, end: float) -> Part:
    headers = {**wanted.headers, "Gotenberg-Trace": trace}
    try:
        found = downloader.get(wanted.url, headers, max_bytes, end)
    except NavigationFailed as exc:
        raise InvalidRequest(f"Unable to download file from '{wanted.url}': {exc}") from exc
    if found.status != 200:
        raise InvalidRequest(
            f"Unable to download file from '{wanted.url}': got status: '{found.status}'"
        )
    disposition = found.headers.get("content-disposition")
    if not disposition:
        raise InvalidRequest(f"No 'Content-Disposition' header from '{wanted.url}'")
    name = filename_in(disposition)
    if not name:
        raise InvalidRequest(
            f"Invalid 'Content-Disposition' header '{disposition}' from '{wanted.url}': no filename"
        )
    return Part(NAME, name, found.headers.get("content-type"), found.data)


def filename_in(disposition: str) -> str | None:
    """The file name in a `Content-Disposition`; None if it has no readable name."""
    message = Message()
    try:
        # Headers are bytes that the client library decodes as Latin-1. Most names are UTF-8.
        message["Content-Disposition"] = disposition.encode("latin-1").decode("utf-8")
    except (UnicodeError, ValueError):
        message["Content-Disposition"] = disposition
    try:
        return message.get_filename()
    except (UnicodeError, ValueError):  # the header names an unknown charset
        return None
