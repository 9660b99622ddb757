"""gotenberg's form fields that are JSON objects, or texts with a syntax of their own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from farm.errors import InvalidRequest, NotSupported
from farm.web.compat.gotenberg import values
from farm.web.compat.gotenberg.values import Unreadable

_MAX_HEADERS = 64
_MAX_SCOPE = 1_024
_SAME_SITES = {"lax": "Lax", "strict": "Strict", "none": "None"}
_PORT = re.compile(r":[0-9]{1,5}$", re.ASCII)

#: gotenberg's names of a PDF's permissions, and the farm's.
PERMISSIONS = {
    "allowPrinting": "printing",
    "allowCopying": "copying",
    "allowModifying": "modifying",
    "allowAnnotating": "annotating",
    "allowFillingForms": "fillingForms",
    "allowAssembling": "assembling",
}
#: Media features, and the options that they become.
FEATURES = {
    "prefers-color-scheme": "colorScheme",
    "prefers-reduced-motion": "reducedMotion",
    "forced-colors": "forcedColors",
    "prefers-contrast": "contrast",
}
_TEXTS = {
    "Title": "title",
    "Author": "author",
    "Subject": "subject",
    "Keywords": "keywords",
    "Creator": "creator",
    "Producer": "producer",
    "Copyright": "rights",
}
_MOMENTS = {
    "CreateDate": "created",
    "CreationDate": "created",
    "ModDate": "modified",
    "ModifyDate": "modified",
}
#: A date in ExifTool's form.
_EXIF_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d) (.*)", re.ASCII)
_TRUE_OR_FALSE = {"true": True, "false": False}


@dataclass(frozen=True)
class Header:
    name: str
    value: str
    #: A regular expression for the URLs that get the header; empty if none is given.
    scope: str


def cookies(text: str) -> tuple[dict[str, Any], ...]:
    """The cookies in the form of the option."""
    try:
        found = values.json_list(text, dict)
    except Unreadable as exc:
        raise Unreadable(f"unmarshal cookies: {exc}") from None
    problems = [
        f"cookie {place} must have its name, value and domain set"
        for place, cookie in enumerate(found)
        if not all(str(cookie.get(name) or "").strip() for name in ("name", "value", "domain"))
    ]
    if problems:
        raise Unreadable("\n".join(problems))
    return tuple(map(_cookie, found))


def _cookie(cookie: dict[str, Any]) -> dict[str, Any]:
    kinds = dict.fromkeys(("name", "value", "domain", "path", "sameSite"), str)
    known = {name: cookie[name] for name in (*kinds, "secure", "httpOnly") if cookie.get(name)}
    for name, value in known.items():
        if type(value) is not kinds.get(name, bool):
            raise Unreadable(f"unmarshal cookies: json: cannot unmarshal into Cookie.{name}")
    known["domain"] = _PORT.sub("", known["domain"])
    if "sameSite" in known:
        known["sameSite"] = _SAME_SITES.get(known["sameSite"].lower(), known["sameSite"])
    return known


def headers(text: str) -> tuple[Header, ...]:
    try:
        found = values.json_texts(text)
    except Unreadable as exc:
        raise Unreadable(f"unmarshal extraHttpHeaders: {exc}") from None
    if len(found) > _MAX_HEADERS:
        raise Unreadable(f"too many headers, got {len(found)}, expected at most {_MAX_HEADERS}")
    return tuple(_header(name, value) for name, value in found.items())


def _header(name: str, text: str) -> Header:
    """Parse `value;scope=pattern`."""
    scope, rest = "", []
    for token in text.split(";"):
        if not token.strip().lower().startswith("scope"):
            rest += [token] if token else []
            continue
        key, _, pattern = "".join(token.split()).partition("=")
        if key.lower() != "scope" or not pattern:
            raise Unreadable(f"invalid scope '{scope}' for header '{name}'")
        scope = pattern
    if len(scope) > _MAX_SCOPE:
        raise Unreadable(
            f"scope regex pattern for header '{name}' is too long, got {len(scope)} characters, "
            f"expected at most {_MAX_SCOPE}"
        )
    if scope[:1] in ("*", "+", "?"):
        raise Unreadable(
            f"invalid scope regex pattern for header '{name}': error parsing regexp: missing "
            f"argument to repetition operator in `{scope}`"
        )
    return Header(name, "; ".join(rest).strip(), scope)


def header_options(found: tuple[Header, ...], has_own_origin: bool) -> Iterator[tuple[str, Any]]:
    """Headers without a scope are for the page's own origin, or for all URLs if it has none."""
    own = {header.name: header.value for header in found if not header.scope}
    scoped = [(header.scope, {header.name: header.value}) for header in found if header.scope]
    if own and has_own_origin:
        yield "headers", own
    elif own:
        scoped.insert(0, (".", own))
    if scoped:
        yield "scopedHeaders", [{"url": url, "headers": each} for url, each in scoped]


def media_features(found: Mapping[str, str]) -> dict[str, str]:
    """The options for media features. Raises `NotSupported`."""
    for name in found:
        if name not in FEATURES:
            raise NotSupported(
                f"emulatedMediaFeatures: the farm does not emulate '{name}'; it does "
                f"{', '.join(FEATURES)}."
            )
    return {FEATURES[name]: value for name, value in found.items()}


def metadata(tags: Mapping[str, Any]) -> dict[str, Any]:
    """`pdf.metadata`.

    Raises `NotSupported`, and `InvalidRequest` for a value that is not a text.
    """
    found: dict[str, Any] = {}
    for tag, value in tags.items():
        items = value if isinstance(value, list) else [value]
        if any(item is None or isinstance(item, dict | list) for item in items):
            raise InvalidRequest(f"metadata: '{tag}' must be a text, a number, a boolean or texts.")
        if tag in _TEXTS:
            found[_TEXTS[tag]] = _joined(value)
        elif tag in _MOMENTS:
            found[_MOMENTS[tag]] = _EXIF_DATE.sub(r"\1-\2-\3T\4", str(value))
        elif tag == "Trapped":
            found["trapped"] = str(value).capitalize()
        elif tag == "Marked":
            found["isProtected"] = _TRUE_OR_FALSE.get(str(value).lower(), value)
        elif tag != "PDFVersion":
            known = ", ".join((*_TEXTS, *_MOMENTS, "Trapped", "Marked"))
            raise NotSupported(f"metadata: the farm does not write '{tag}'; it does {known}.")
    return found


def _joined(value: Any) -> str:
    return ", ".join(map(_text, value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
