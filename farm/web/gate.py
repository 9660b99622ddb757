"""Decides by a request's headers whether its body is read.

The farm's gunicorn worker asks `Gate` before it reads a body (`serving`).
"""

from collections.abc import Mapping
from urllib.parse import unquote

from farm.callers import ApiKeys
from farm.errors import FarmError
from farm.settings import MAX_BODY_BYTES
from farm.web.callers import identify, key_in
from farm.web.routes import Routes


class Gate:
    """Refuses the bodies of requests that the application would refuse whatever the body is.

    The application then answers with the reason. The rate limit is not checked here: it counts a
    request once, in the application.
    """

    def __init__(self, routes: Routes, keys: ApiKeys | None) -> None:
        self._routes = routes
        self._keys = keys

    def wants_body(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        length: int | None,
        query: str = "",
    ) -> bool:
        """Whether to read the body.

        `headers`: by their names in capitals. `length`: None if the client does not announce it.
        """
        resource, _, _ = self._routes.find(unquote(path))
        if method not in resource.with_body:
            return False
        if (length or 0) > MAX_BODY_BYTES:
            return False
        try:
            resource.check_media_type(headers.get("CONTENT-TYPE"))
            caller = None
            if self._keys:
                sent = headers.get("X-API-KEY") or key_in(resource, query)
                caller = identify(self._keys, headers.get("AUTHORIZATION"), sent)
            resource.admit(caller)
        except FarmError:
            return False
        return True
