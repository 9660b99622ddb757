"""The files of a form: the page, its header and footer, and the files that the page refers to."""

import base64
import codecs
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from farm.web.forms import Form

#: The files of these fields are for a PDF, not for the page.
_FOR_PDF = frozenset({"embeds", "watermark", "stamp", "facturxXml"})
_SEPARATORS = re.compile(r"[/\\]")
#: Control characters, and lone surrogates, which no URL can have.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
#: `<meta charset=…>`, and the charset in `<meta http-equiv=Content-Type>`.
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE
)
#: How far into a document browsers look for it
#: (https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding).
_PRESCANNED = 1_024

#: The codecs of Python that browsers have too. Others are very slow, or are not charsets.
_CHARSETS = re.compile(
    r"cp\d+|iso8859-\d+|koi8-[ru]|mac-roman|gb\w+|big5\w*|euc_\w+|iso2022_jp|shift_jis\w*", re.ASCII
)
_FALLBACK = "cp1252"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

#: Files by their names.
Files = Mapping[str, bytes]


def files_in(form: Form) -> dict[str, bytes]:
    """All files for the page. Of two with the same name, the last one."""
    found = {}
    for part in form.parts:
        if part.filename and part.name not in _FOR_PDF and (name := plain_name(part.filename)):
            found[name] = part.data
    return found


def plain_name(name: str) -> str:
    """The last part of a path, without characters that a name must not have. May be empty."""
    last = unicodedata.normalize("NFC", _CONTROLS.sub("", _SEPARATORS.split(name)[-1]))
    return "" if last in (".", "..") else last


def find(files: Files, name: str) -> bytes | None:
    """The file of that name. The case of its suffix does not matter."""
    for each, data in files.items():
        path = PurePosixPath(each)
        if each == name or path.with_suffix("").name + path.suffix.lower() == name:
            return data
    return None


def with_suffix(files: Files, suffix: str) -> dict[str, bytes]:
    return {n: data for n, data in files.items() if PurePosixPath(n).suffix.lower() == suffix}


def assets(files: Files, without: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """The files as the request's `assets`."""
    left_out = {*without, "index.html"}
    return {
        # In the form in which a page's URLs have the name.
        quote(name, safe="~!$&'()*+,;=@ "): {"base64": base64.b64encode(data).decode("ascii")}
        for name, data in files.items()
        if name not in left_out
    }


def html_text(data: bytes) -> str:
    """The text of an HTML file. Its charset is found as browsers find it."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    meta = _META_CHARSET.search(data[:_PRESCANNED])
    return data.decode(_codec(meta[1]) if meta else _FALLBACK, errors="replace")


def _codec(charset: bytes) -> str:
    try:
        found = codecs.lookup(charset.decode("ascii")).name
    except (LookupError, UnicodeError):
        return _FALLBACK
    return found if _CHARSETS.fullmatch(found) else _FALLBACK
