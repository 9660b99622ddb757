"""The base class of all resources: access, rate limit, body types, and the form of errors.

`callers` and `gate` read these properties before the route runs. The defaults are strict: a route
needs a key, each of its methods counts against the rate, and no body is read for it.
"""

import json
from collections.abc import Mapping
from typing import ClassVar

import falcon
from falcon.routing import CompiledRouter

from farm.errors import FarmError, UnsupportedMediaType, WithProblems
from farm.web.serving.refusals import error_body

#: Bodies that are JSON, and forms with files.
JSON = falcon.MEDIA_JSON
FORM = "multipart/form-data"


class Resource:
    """A route's resource. Its methods are Falcon's `on_get`, `on_post` and so on."""

    #: Whether the route needs no key. It is for load balancers and monitors, which have none, and
    #: for URLs that prove by themselves who has allowed the request (`caller_of`).
    is_open: ClassVar[bool] = False
    #: The query parameter in which a caller may send its key instead of in a header.
    key_parameter: ClassVar[str | None] = None
    #: Methods that do not count against a caller's rate, since they do not render.
    uncounted: ClassVar[frozenset[str]] = frozenset()
    #: Methods whose body is read.
    with_body: ClassVar[frozenset[str]] = frozenset()
    #: The media types that the body may have.
    media_types: tuple[str, ...] = (JSON,)

    def caller_of(self, params: Mapping[str, str]) -> str | None:
        """The caller of a request to an open route, if the URL names it.

        Raises a `FarmError` if the URL is not valid.
        """
        return None

    def counts(self, method: str) -> bool:
        """Whether a request counts against its caller's rate. One that is answered 405 does not."""
        return method not in self.uncounted and hasattr(self, f"on_{method.lower()}")

    def admit(self, caller: str | None) -> None:
        """Raises a `FarmError` if the caller's request would be refused whatever its body is."""

    def check_media_type(self, content_type: str | None) -> None:
        """Raises `UnsupportedMediaType` if the body's type is not one of `media_types`."""
        if media_type(content_type) not in self.media_types:
            raise UnsupportedMediaType(
                None if self.media_types == (JSON,) else _sentence(self.media_types)
            )

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        """Set the status, type and body of an error. Its headers are set already."""
        body = error_body(error, req.context.id)
        if isinstance(error, WithProblems) and error.problems:
            body["details"] = error.details
        resp.status = error.status
        resp.content_type = falcon.MEDIA_JSON
        resp.data = json.dumps(body).encode()


def media_type(content_type: str | None) -> str:
    """A `Content-Type` without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def _sentence(media_types: tuple[str, ...]) -> str:
    return f"The body's Content-Type must be {' or '.join(media_types)}."


#: Answers requests that have no route.
NOWHERE = Resource()


class Routes:
    """Finds a path's resource with Falcon's own router, and so by the same rules (`//render`)."""

    def __init__(self) -> None:
        self.router = CompiledRouter()

    def find(self, path: str) -> tuple[Resource, str | None, Mapping[str, str]]:
        """The resource of a path, its template, and the values of the template's variables.

        If there is no route: `NOWHERE`, None and no values.
        """
        found = self.router.find(path)
        if found is None:
            return NOWHERE, None, {}
        resource, _, params, template = found
        assert isinstance(resource, Resource)  # `App.add_route` has checked it
        return resource, template, params
