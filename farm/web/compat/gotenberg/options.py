"""Makes the options of a render from the values of a form."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from farm.errors import InvalidRequest
from farm.web.compat.gotenberg import objects
from farm.web.compat.gotenberg.fields import Values

Options = dict[str, Any]

#: The codes by which gotenberg means all statuses of a class.
_CLASSES = {199: "1xx", 299: "2xx", 399: "3xx", 499: "4xx", 599: "5xx"}
_STATUSES = range(100, 600)
#: In CSS pixels.
_INCH = 96
#: As in gotenberg, colours are printed exactly, but the page's own background only on request.
_EXACT_COLOURS = "html { -webkit-print-color-adjust: exact !important; }"
_NO_BACKGROUND = "html, body { background: none !important; }"
#: Chromium's default for WebP.
_WEBP_QUALITY = 80
#: The last page that `pdf.pages` can name.
_LAST_PAGE = 999_999
#: The script that looks for the element throws this text, and the farm finds it in the error.
NO_BOX = "no element with a visible box"


def common(values: Values, has_own_origin: bool) -> Iterator[tuple[str, Any]]:
    """The options that PDFs and pictures share. Raises `NotSupported`."""
    if not (values["skipNetworkIdleEvent"] and values["skipNetworkAlmostIdleEvent"]):
        yield "waitUntil", "networkidle"
    if (delay_ms := round(values["waitDelay"] * 1000)) > 0:
        yield "waitFor", delay_ms
    if function := _wait_function(values):
        yield "waitForFunction", function
    if values["waitForSelector"]:
        yield "waitForSelector", values["waitForSelector"]
    if values["cookies"]:
        yield "cookies", list(values["cookies"])
    if values["userAgent"]:
        yield "userAgent", values["userAgent"]
    yield from objects.header_options(values["extraHttpHeaders"], has_own_origin)
    if values["emulatedMediaType"]:
        yield "mediaType", values["emulatedMediaType"]
    yield from objects.media_features(values["emulatedMediaFeatures"]).items()
    yield (
        "failOn",
        {
            "status": _statuses(values["failOnHttpStatusCodes"]),
            "resourceStatus": _statuses(values["failOnResourceHttpStatusCodes"]),
            "ignoreHosts": list(_hosts(values["ignoreResourceHttpStatusDomains"])),
            "resourceError": values["failOnResourceLoadingFailed"],
            "pageError": values["failOnConsoleExceptions"],
        },
    )


def pdf(values: Values, header: str | None, footer: str | None) -> Iterator[tuple[str, Any]]:
    """The options of a PDF. Raises `NotSupported` and `InvalidRequest`."""
    if values["omitBackground"] and not values["printBackground"]:
        raise InvalidRequest("omitBackground requires printBackground set to true")
    background = values["printBackground"]
    yield "format", "pdf"
    yield "styles", [_EXACT_COLOURS if background else f"{_EXACT_COLOURS} {_NO_BACKGROUND}"]
    margin = {
        side.lower(): values[f"margin{side}"] * _INCH for side in ("Top", "Right", "Bottom", "Left")
    }
    asked = {
        "paper": {
            "width": values["paperWidth"] * _INCH,
            "height": values["paperHeight"] * _INCH,
        },
        "margin": margin,
        "landscape": values["landscape"],
        "background": background,
        "scale": values["scale"],
        "preferCssPageSize": values["preferCssPageSize"],
        "outline": values["generateDocumentOutline"],
        # Chromium makes the outline from the tags.
        "tagged": values["generateTaggedPdf"] or values["generateDocumentOutline"],
        "singlePage": values["singlePage"],
    }
    if values["nativePageRanges"] and not values["singlePage"]:
        asked["pages"] = _closed_ranges(values["nativePageRanges"])
    if header:
        asked["header"] = header
    if footer:
        asked["footer"] = footer
    yield "pdf", asked


def finishing(values: Values) -> Options:
    """The part of `pdf` that is applied to a finished PDF. Raises `NotSupported`."""
    asked: Options = {}
    if metadata := objects.metadata(values["metadata"]):
        asked["metadata"] = metadata
    if values["userPassword"]:
        asked["password"] = values["userPassword"]
    if values["ownerPassword"]:
        asked["ownerPassword"] = values["ownerPassword"]
    allowed = {ours: values[theirs] for theirs, ours in objects.PERMISSIONS.items()}
    if not all(allowed.values()):
        if not (values["userPassword"] or values["ownerPassword"]):
            raise InvalidRequest(
                "Invalid form data: permission restrictions require a 'userPassword' or "
                "'ownerPassword'"
            )
        asked["permissions"] = allowed
    return asked


def screenshot(values: Values) -> Iterator[tuple[str, Any]]:
    format_ = values["format"]
    yield "format", format_
    yield "width", values["width"]
    yield "height", values["height"]
    yield "deviceScaleFactor", values["deviceScaleFactor"]
    if format_ == "jpeg":
        yield "quality", max(1, values["quality"])
    elif format_ == "webp":
        yield "quality", _WEBP_QUALITY
    else:
        yield "optimizeForSpeed", values["optimizeForSpeed"]
    if format_ != "jpeg":
        yield "omitBackground", values["omitBackground"]
    if values["selector"]:
        yield "selector", values["selector"]
        yield "scripts", [_box_script(values["selector"])]
    elif not values["clip"]:
        yield "fullPage", True


def _wait_function(values: Values) -> str:
    """Both waits of the form in one function. An error, or an undefined value, throws."""
    conditions = []
    if values["waitWindowStatus"]:
        conditions.append(f"if (window.status !== {_js(values['waitWindowStatus'])}) return false;")
    if values["waitForExpression"]:
        conditions.append(
            f"const value = await (\n{values['waitForExpression']}\n);\n"
            "if (value === undefined || value === null) throw new TypeError('it is undefined');\n"
            "return value;"
        )
    elif conditions:
        conditions.append("return true;")
    return "async () => {\n" + "\n".join(conditions) + "\n}" if conditions else ""


def _box_script(selector: str) -> str:
    """Fails at once if the selector has no box: unlike the farm, gotenberg does not wait for it."""
    return (
        f"{{ const box = document.querySelector({_js(selector)})?.getBoundingClientRect();\n"
        f"if (!(box?.width > 0 && box?.height > 0)) throw new Error({_js(NO_BOX)}); }}"
    )


def _js(text: str) -> str:
    return json.dumps(text)


def _statuses(codes: list[int]) -> list[int | str]:
    classes = [name for code, name in _CLASSES.items() if code in codes]
    others = {code for code in codes if code in _STATUSES and code not in _CLASSES}
    return [*classes, *sorted(code for code in others if f"{code // 100}xx" not in classes)]


def _hosts(domains: list[str]) -> Iterator[str]:
    """The host names in whatever form they have: `*.example.com`, a URL, with a port."""
    for domain in domains:
        text = domain.strip().lower()
        if not text:
            continue
        try:
            host = urlsplit(text if "//" in text else f"//{text}").hostname
        except ValueError:
            host = None
        yield (host or text).removeprefix("*.").removeprefix(".")


def _closed_ranges(text: str) -> str:
    """Chromium allows a range without one of its ends; the farm does not."""
    parts = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if dash and (first or last):
            part = f"{first or 1}-{last or _LAST_PAGE}"
        parts.append(part.strip())
    return ",".join(parts)
