"""What a route says of itself: who may ask it, what counts against a rate, what has a body of
which type, and how it tells an error.

It is read before the route runs, by `callers` and by the `Gate`. What a resource does not say is
closed: it wants a key, each of its methods counts, and no body is read for it.
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
    """A route's resource; its methods are Falcon's `on_get`, `on_post` and so on."""

    #: Whether it is answered without a key, too: for balancers and monitors, which have none, and
    #: where the address itself says who has allowed it (`caller_of`).
    is_open: ClassVar[bool] = False
    #: The parameter of its query in which a caller may send its key, besides the headers.
    key_parameter: ClassVar[str | None] = None
    #: Methods that do not count against a caller's rate, since they make no renders.
    uncounted: ClassVar[frozenset[str]] = frozenset()
    #: Methods whose body is read.
    with_body: ClassVar[frozenset[str]] = frozenset()
    #: The media types that such a body may have.
    media_types: tuple[str, ...] = (JSON,)

    def caller_of(self, params: Mapping[str, str]) -> str | None:
        """Of an open route: whom a request is by, if what its address has in it tells.

        Raises a `FarmError` where the address is nobody's.
        """
        return None

    def counts(self, method: str) -> bool:
        """Whether a request counts against its caller's rate; one that is a 405 does not."""
        return method not in self.uncounted and hasattr(self, f"on_{method.lower()}")

    def admit(self, caller: str | None) -> None:
        """Raises a `FarmError` where the caller's request would be refused whatever its body is."""

    def check_media_type(self, content_type: str | None) -> None:
        """Raises `UnsupportedMediaType`."""
        if media_type(content_type) not in self.media_types:
            raise UnsupportedMediaType(
                None if self.media_types == (JSON,) else _sentence(self.media_types)
            )

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        """Set status, type and body; what each error's headers are is set already."""
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


#: What answers where no resource does.
NOWHERE = Resource()


class Routes:
    """Which resource is where, by Falcon's own router, whose rules (`//render`) hold here too."""

    def __init__(self) -> None:
        self.router = CompiledRouter()

    def at(self, path: str) -> tuple[Resource, str | None, Mapping[str, str]]:
        """The resource, its template, and what the path has in the template's places.

        Where there is no route, a closed resource and None.
        """
        found = self.router.find(path)
        if found is None:
            return NOWHERE, None, {}
        resource, _, params, template = found
        assert isinstance(resource, Resource)  # `App.add_route` has seen to it
        return resource, template, params
