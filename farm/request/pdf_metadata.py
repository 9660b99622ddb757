"""The metadata of a PDF, and what may be done with it without the owner's password.

`pdf` and `pdf_files` use it.
"""

import re
from datetime import datetime
from typing import Literal

from pydantic import field_validator

from farm.request.group import Group, option, problem

_MAX_TEXT = 1_000
#: Characters that XML, and so the metadata of a PDF, does not allow.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_text(text: str) -> str:
    if _NOT_IN_XML.search(text):
        raise problem("must be text without control characters and halves of surrogate pairs")
    return text


class Metadata(Group):
    """The document properties of the file. Those left out stay as Chromium writes them."""

    title: str | None = option(None, "The title. Default: the document's.", max_length=_MAX_TEXT)
    author: str | None = option(None, "The author of the document.", max_length=_MAX_TEXT)
    subject: str | None = option(None, "The subject of the document.", max_length=_MAX_TEXT)
    keywords: str | None = option(None, "Keywords, separated by commas.", max_length=_MAX_TEXT)
    creator: str | None = option(None, "The program that made the document.", max_length=_MAX_TEXT)
    producer: str | None = option(
        None, "The program that made the PDF. Default: Chromium's.", max_length=_MAX_TEXT
    )
    rights: str | None = option(
        None, "Who has the rights to the document (`dc:rights` in its XMP).", max_length=_MAX_TEXT
    )
    is_protected: bool | None = option(
        None,
        "Whether rights protect the document (true), or it is in the public domain (false): "
        "`xmpRights:Marked`.",
    )
    trapped: Literal["True", "False", "Unknown"] | None = option(
        None, "Whether the file has been trapped for a press: adjusted where colours meet."
    )
    created: str | None = option(
        None,
        "When the document was made, as RFC 3339 has it: `2026-11-27T12:00:00+01:00`.",
        max_length=40,
    )
    modified: str | None = option(
        None, "When the document was last changed, as RFC 3339 has it.", max_length=40
    )

    @field_validator("title", "author", "subject", "keywords", "creator", "producer", "rights")
    @classmethod
    def _of_characters(cls, text: str) -> str:
        return check_text(text)

    @field_validator("created", "modified")
    @classmethod
    def _moment(cls, text: str) -> str:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise problem("must be a date and a time as RFC 3339 has them") from None
        if moment.tzinfo is None:
            raise problem("must have a time zone, such as Z or +01:00")
        return moment.isoformat(timespec="seconds")


class Permissions(Group):
    """What readers of the file may do without the owner's password."""

    printing: bool = option(True, "Whether the file may be printed.")
    copying: bool = option(True, "Whether text and pictures may be copied out of the file.")
    modifying: bool = option(True, "Whether the content may be changed.")
    annotating: bool = option(True, "Whether notes may be written into the file.")
    filling_forms: bool = option(True, "Whether forms may be filled in.")
    assembling: bool = option(True, "Whether pages may be added, removed and turned.")


#: The permissions of a request that restricts nothing.
EVERYTHING = Permissions.model_construct()
