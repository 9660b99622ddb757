"""`Gotenberg-Webhook-*` headers: the file or the error is sent to a URL when it is ready."""

import json
from dataclasses import dataclass, field, replace

import falcon
from pydantic import ValidationError

from farm import errors
from farm.errors import FarmError, InvalidRequest
from farm.request.webhook import Webhook
from farm.web.compat.gotenberg import values
from farm.web.compat.gotenberg.errors import Asked, told
from farm.web.compat.gotenberg.values import Unreadable
from farm.webhooks import Target

_PREFIX = "Gotenberg-Webhook"
_METHODS = ("POST", "PATCH", "PUT")
#: Errors with which a job can end, and whose status or text may differ in gotenberg.
_ERRORS = (
    *(errors.UrlRefused, errors.NavigationFailed, errors.OutputTooLarge, errors.PageCrashes),
    *(errors.SelectorNotFound, errors.PageFailed, errors.ScriptFailed, errors.RenderTimeout),
    *(errors.InvalidRequest, errors.Busy, errors.BrowserUnavailable),
)
_OTHERS = "*"
#: The placeholder for the job's own sentence, which is inserted as JSON.
_SENTENCE = "$error"


@dataclass(frozen=True)
class Calls:
    """The webhooks that the request's headers ask for."""

    done: Webhook = field(repr=False)
    done_method: str
    error: Webhook | None = field(repr=False)
    error_method: str
    events: Webhook | None = field(repr=False)

    def targets(self, trace: str, disposition: str, asked: Asked) -> list[Target]:
        own = {"Gotenberg-Trace": trace}
        name = {"Content-Disposition": disposition}
        has_name = any(each.lower() == "content-disposition" for each in self.done.headers)
        found = [
            Target(
                self.done.url,
                events=("completed",),
                method=self.done_method,
                headers={**({} if has_name else name), **self.done.headers, **own},
                body="file",
            )
        ]
        json_body = {**self.done.headers, **own, "Content-Type": "application/json"}
        if self.error is not None:
            texts = _texts(asked, '{"status":%d,"message":%s}')
            found.append(
                Target(
                    self.error.url,
                    events=("failed", "cancelled"),
                    method=self.error_method,
                    headers=json_body,
                    body="text",
                    texts=texts,
                )
            )
        if self.events is not None:
            head = f'{{"correlationId":{_escaped(json.dumps(trace))},"timestamp":$timestamp,'
            done = Target(
                self.events.url,
                events=("completed",),
                headers=json_body,
                body="text",
                texts={_OTHERS: head + '"event":"webhook.success"}'},
            )
            # A percent sign in the trace must not be read as the template's.
            text = head.replace("%", "%%")
            text += '"event":"webhook.error","error":{"status":%d,"message":%s}}'
            failed = replace(done, events=("failed", "cancelled"), texts=_texts(asked, text))
            found += [done, failed]
        return found


def calls_in(req: falcon.Request) -> Calls | None:
    """The webhooks; None if the client waits for the answer. Raises `InvalidRequest`."""
    if not (url := _header(req, "Url")):
        return None
    error_url, events_url = _header(req, "Error-Url"), _header(req, "Events-Url")
    if not error_url and not events_url:
        raise InvalidRequest(
            f"At least one of '{_PREFIX}-Error-Url' or '{_PREFIX}-Events-Url' headers must be "
            "provided"
        )
    headers = _extra_headers(req)
    return Calls(
        done=_webhook("Url", url, headers),
        done_method=_method(req, "Method"),
        error=_webhook("Error-Url", error_url, headers) if error_url else None,
        error_method=_method(req, "Error-Method"),
        events=_webhook("Events-Url", events_url, headers) if events_url else None,
    )


def _header(req: falcon.Request, name: str) -> str:
    return (req.get_header(f"{_PREFIX}-{name}") or "").strip()


def _method(req: falcon.Request, name: str) -> str:
    method = (_header(req, name) or "POST").upper()
    if method not in _METHODS:
        raise InvalidRequest(
            f"Invalid '{_PREFIX}-{name}' header value: expected 'POST', 'PATCH' or 'PUT', but got "
            f"'{method}'"
        )
    return method


def _extra_headers(req: falcon.Request) -> dict[str, str]:
    text = _header(req, "Extra-Http-Headers")
    try:
        return values.json_texts(text) if text else {}
    except Unreadable as exc:
        raise InvalidRequest(
            f"Invalid '{_PREFIX}-Extra-Http-Headers' header value: {exc}"
        ) from None


def _webhook(name: str, url: str, headers: dict[str, str]) -> Webhook:
    try:
        return Webhook.model_validate({"url": url, "headers": headers})
    except ValidationError as exc:
        first = exc.errors()[0]
        where = "Extra-Http-Headers" if first["loc"][:1] == ("headers",) else name
        raise InvalidRequest(f"Invalid '{_PREFIX}-{where}' header value: {first['msg']}") from None


def _texts(asked: Asked, template: str) -> dict[str, str]:
    """The bodies by error code. `template` has places for a status and a sentence in JSON."""
    found = {_OTHERS: _filled(template, 500, _SENTENCE)}
    for error in _ERRORS:
        found[error.code] = _filled(template, *_status_and_sentence(error(), asked))
    return found


def _status_and_sentence(error: FarmError, asked: Asked) -> tuple[int, str]:
    """The status and the sentence; the placeholder if the sentence differs from job to job."""
    status, text = told(error, asked)
    is_own = text == str(error) or isinstance(error, errors.PageFailed)
    return status, _SENTENCE if is_own else _escaped(json.dumps(text))


def _filled(template: str, status: int, sentence: str) -> str:
    return template % (status, sentence)


def _escaped(text: str) -> str:
    return text.replace("$", "$$")
