"""Reads a render request from a body: JSON, or a form with files.

The resources of `/render`, `/render-url` and `/render-async` call `read_request`.
"""

import base64
from typing import Any

import falcon

from farm.errors import InvalidRequest, Problem
from farm.parsing import parse_json_object
from farm.request import Limits, RenderRequest
from farm.request.problems import summary
from farm.web.forms import Form, Part, parse_form
from farm.web.routes import FORM, media_type

#: The part that contains the JSON. It may also have a file name.
_REQUEST = "request"
#: The files that are the page, and the JSON field that each of them replaces.
_PAGES = {"index.html": "html", "index.md": "markdown"}
#: The type that clients send for a file whose type they do not know.
_NO_TYPE = "application/octet-stream"
_TWICE = "given more than once"


def read_request(
    req: falcon.Request, body: bytes, sources: tuple[str, ...], limits: Limits
) -> RenderRequest:
    """The request in a body of either type. Raises what `RenderRequest.parse` does."""
    if media_type(req.content_type) != FORM:
        return RenderRequest.parse(body, sources, limits)
    form = parse_form(body, req.content_type or "")
    return RenderRequest.from_fields(_fields(form, sources), sources, limits)


def _fields(form: Form, sources: tuple[str, ...]) -> dict[str, Any]:
    """The fields that the same request would have as a JSON body."""
    request, files = _sorted(form)
    fields = {} if request is None else parse_json_object(request.data, "The request")
    _check_page(fields, files, sources)
    for name, field in _PAGES.items():
        if name in files:
            fields[field] = files.pop(name).text
            if not fields[field]:
                _refuse({name: "must not be empty"})
    assets = fields.setdefault("assets", {}) if files else None
    # If `assets` is not an object, the request's own validation reports it with all other problems.
    if isinstance(assets, dict):
        _refuse({name: _TWICE for name in files if name in assets})
        assets |= {name: _asset(part) for name, part in files.items()}
    return fields


def _sorted(form: Form) -> tuple[Part | None, dict[str, Part]]:
    """The part with the JSON, and the files by their names. Raises `InvalidRequest`."""
    request: Part | None = None
    files: dict[str, Part] = {}
    problems: dict[str, str] = {}
    for part in form.parts:
        name = part.filename
        if part.name == _REQUEST:
            if request is not None:
                problems[_REQUEST] = _TWICE
            request = part
            continue
        if name is None and part.name in _PAGES:
            name = part.name
        if name is None:
            problems[part.name] = "unknown field; a file needs a filename"
        elif not name:
            problems[part.name] = "its file has no name"
        elif name in files:
            problems[name] = _TWICE
        else:
            files[name] = part
    _refuse(problems)
    return request, files


def _check_page(fields: dict[str, Any], files: dict[str, Part], sources: tuple[str, ...]) -> None:
    """Raises `InvalidRequest` if there is no page, or if a file is sent beside another page.

    The JSON itself is validated later.
    """
    sent = [name for name in _PAGES if name in files]
    given = [name for name in sources if fields.get(name) not in (None, "")] + sent
    if not given:
        names = f"{', '.join(sources[:-1])} or {sources[-1]}"
        problem = Problem("index.html", "missing")
        raise InvalidRequest(f"Send index.html, index.md, or a request with {names}.", [problem])
    if sent:
        _refuse(dict.fromkeys(given[1:], f"not together with {given[0]}"))


def _asset(part: Part) -> dict[str, str]:
    asset = {"base64": base64.b64encode(part.data).decode("ascii")}
    kind = media_type(part.content_type)
    if kind in ("", _NO_TYPE):
        return asset
    if kind.startswith("text/") and part.charset is None:
        # All other text of a request is UTF-8, and so is a file whose name tells its type.
        return asset | {"contentType": f"{kind}; charset=utf-8"}
    return asset | {"contentType": part.content_type or kind}


def _refuse(found: dict[str, str]) -> None:
    problems = [Problem(name, text) for name, text in found.items()]
    if problems:
        raise InvalidRequest(summary(problems), problems)
