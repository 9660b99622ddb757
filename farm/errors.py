"""Every error that a caller of the farm can get, and the error of a start that fails.

::

    FarmError
    ├─ InvalidRequest        400 invalid_request
    │  └─ InvalidUrl         400 invalid_url
    ├─ Unauthorized          401 unauthorized         with WWW-Authenticate
    ├─ UrlRefused            403 url_refused
    ├─ LinkRefused           403 link_refused
    ├─ NotFound              404 not_found
    ├─ MethodNotAllowed      405 method_not_allowed
    ├─ NotAcceptable         406 not_acceptable
    ├─ BodyTimeout           408 body_timeout
    ├─ NotReady              409 not_ready
    ├─ AlreadyFinished       409 already_finished
    ├─ IdempotencyConflict   409 idempotency_conflict
    ├─ LinkExpired           410 link_expired
    ├─ BodyTooLarge          413 body_too_large
    ├─ UnsupportedMediaType  415 unsupported_media_type
    ├─ RangeNotSatisfiable   416 range_not_satisfiable
    ├─ NavigationFailed      422 navigation_failed
    ├─ OutputTooLarge        422 output_too_large
    ├─ PageCrashes           422 page_crashes
    ├─ SelectorNotFound      422 selector_not_found
    ├─ PageFailed            422 page_failed
    ├─ ScriptFailed          422 script_failed
    ├─ RateLimited           429 rate_limited         with Retry-After
    ├─ InternalError         500 internal_error
    ├─ NotSupported          501 not_supported
    ├─ Busy                  503 busy                 with Retry-After
    ├─ BrowserUnavailable    503 browser_unavailable  with Retry-After
    │  └─ BrowserDied        503 browser_unavailable  with Retry-After
    ├─ QueueUnavailable      503 queue_unavailable    with Retry-After
    ├─ StorageUnavailable    503 storage_unavailable  with Retry-After
    └─ RenderTimeout         504 render_timeout

    StartError               for no request: the farm cannot start

Any module may raise them, in any thread; the web layer and the job worker turn them into answers.
Each class has its HTTP status, its code and a sentence that a person can act on. The code that
raises an error may give a more specific sentence. A sentence never contains a stack trace, a path
or another program's message. Those are in the exception's `__cause__`, which is logged.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Self


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request: the JSON path of the field, and what is wrong."""

    field: str
    problem: str


class StartError(Exception):
    """The farm cannot start. `str()` tells the operator what to fix."""


class FarmError(Exception):
    """An error that is answered to a caller. `str()` is the sentence in the answer."""

    status: ClassVar[int]
    code: ClassVar[str]
    sentence: ClassVar[str]
    #: The id of the request that failed. Only the farm's client sets it, from the answer.
    request_id: str | None = None

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


class WithProblems(FarmError):
    """An error whose answer lists `problems` as `details`."""

    def __init__(self, sentence: str | None = None, problems: Sequence[Problem] = ()) -> None:
        super().__init__(sentence)
        self.problems = tuple(problems)

    @property
    def details(self) -> list[dict[str, str]]:
        return [asdict(problem) for problem in self.problems]


class InvalidRequest(WithProblems):
    status = 400
    code = "invalid_request"
    sentence = "The request is not valid."

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The error for a single problem, which also makes the sentence."""
        return cls(f"{problem.field}: {problem.problem}.", [problem])


class InvalidUrl(InvalidRequest):
    code = "invalid_url"
    sentence = "The URL must be an absolute http or https URL."


class Unauthorized(FarmError):
    status = 401
    code = "unauthorized"
    sentence = "A valid API key is needed, as Authorization: Bearer or as X-Api-Key."


class UrlRefused(FarmError):
    status = 403
    code = "url_refused"
    sentence = "The farm's egress policy does not allow what the URL leads to."


class LinkRefused(FarmError):
    """The signature of a link is wrong. It is checked before anything else of the link."""

    status = 403
    code = "link_refused"
    sentence = "The link's signature is of no key of this farm, or the link was changed."


class NotFound(FarmError):
    status = 404
    code = "not_found"
    sentence = "There is nothing at this address; the API is described in docs/api.md."


class MethodNotAllowed(FarmError):
    status = 405
    code = "method_not_allowed"
    sentence = "This address does not know that method; the Allow header lists those it knows."

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__()
        self.allowed = tuple(allowed)


class NotAcceptable(FarmError):
    status = 406
    code = "not_acceptable"
    sentence = "The Accept header names neither the format asked for nor JSON."


class BodyTimeout(FarmError):
    status = 408
    code = "body_timeout"
    sentence = "The body did not arrive in time."


class NotReady(FarmError):
    status = 409
    code = "not_ready"
    sentence = "The job has not completed yet; its file can be downloaded once it has."


class AlreadyFinished(FarmError):
    status = 409
    code = "already_finished"
    sentence = "The job has ended already, so it cannot be cancelled."


class IdempotencyConflict(FarmError):
    status = 409
    code = "idempotency_conflict"
    sentence = "This Idempotency-Key came with another request before; send a new key."


class LinkExpired(FarmError):
    """A 410: the link was valid and will not be again, so caches and crawlers may drop it."""

    status = 410
    code = "link_expired"
    sentence = "The link has expired; who made it can make a new one."


class BodyTooLarge(FarmError):
    status = 413
    code = "body_too_large"
    sentence = "The body is too large."


class UnsupportedMediaType(FarmError):
    status = 415
    code = "unsupported_media_type"
    sentence = "The body must be JSON, sent as Content-Type: application/json."


class RangeNotSatisfiable(FarmError):
    status = 416
    code = "range_not_satisfiable"
    sentence = "The file ends before the range begins."

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


class NavigationFailed(FarmError):
    status = 422
    code = "navigation_failed"
    sentence = "The URL could not be loaded."


class OutputTooLarge(FarmError):
    status = 422
    code = "output_too_large"
    sentence = "The file would be too large."


class PageCrashes(FarmError):
    status = 422
    code = "page_crashes"
    sentence = (
        "The page crashed, closed itself, held too much memory or had too many workers before it "
        "was captured."
    )


class SelectorNotFound(FarmError):
    status = 422
    code = "selector_not_found"
    sentence = "No element that matches the selector has had a box in time."


@dataclass(frozen=True)
class Failure:
    """An event that the request's `failOn` defines as a failure, and its facts."""

    #: The field of `failOn` that names it.
    kind: str
    text: str
    #: For a resource: Chromium's name of its type (`Stylesheet`), its URL, and its status or the
    #: reason why it has none.
    resource: str = ""
    url: str = ""
    status: int = 0
    reason: str = ""

    @property
    def problem(self) -> Problem:
        return Problem(f"options.failOn.{self.kind}", self.text)


class PageFailed(WithProblems):
    """An event that the request's `failOn` names has happened."""

    status = 422
    code = "page_failed"
    sentence = "The page has failed, by what the request calls a failure."

    def __init__(
        self,
        sentence: str | None = None,
        problems: Sequence[Problem] = (),
        failures: Sequence[Failure] = (),
    ) -> None:
        super().__init__(sentence, problems)
        self.failures = tuple(failures)


class ScriptFailed(FarmError):
    """The request's own JavaScript threw an error. The sentence contains the page's message."""

    status = 422
    code = "script_failed"
    sentence = "A script of the request's threw an error in the page."


class RateLimited(FarmError):
    """The caller has used up its rate. The next request is allowed in `retry_after_s` seconds."""

    status = 429
    code = "rate_limited"
    sentence = "Too many requests; try again in the seconds that Retry-After names."

    def __init__(self, sentence: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class InternalError(FarmError):
    status = 500
    code = "internal_error"
    sentence = "The farm made a mistake; its log tells more under this request id."


class NotSupported(FarmError):
    """The caller uses a feature of another service that the farm lacks; the sentence names it."""

    status = 501
    code = "not_supported"
    sentence = "The farm does not do that."


class Unavailable(FarmError):
    """A 503: the same request may succeed in `retry_after_s` seconds."""

    status = 503

    def __init__(self, sentence: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class Busy(Unavailable):
    code = "busy"
    sentence = "Every place is taken; try again in the seconds that Retry-After names."


class BrowserUnavailable(Unavailable):
    code = "browser_unavailable"
    sentence = "The browser is being started again; try again in a moment."


class BrowserDied(BrowserUnavailable):
    """The browser died during the render, and again in the second try if there was time for one."""

    sentence = "The browser died while it had this page; try again."


class NoPort(BrowserUnavailable):
    """No port of the egress proxy can be opened for a page. A retry would fail as well."""

    sentence = "The farm can open no port of its egress proxy now; try again in a moment."


class QueueUnavailable(Unavailable):
    code = "queue_unavailable"
    sentence = "The job queue cannot be reached; try again in a moment."


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"
    sentence = "The storage of the jobs' files cannot be used; try again in a moment."


class RenderTimeout(FarmError):
    status = 504
    code = "render_timeout"
    sentence = "The page did not finish in time."
