"""What a route says of itself: who may ask it, what counts against a rate, and what has a body.

It is read before the route runs, by `callers` and by the `Gate`. What a resource does not say is
closed: it wants a key, each of its methods counts, and no body is read for it.
"""

from typing import ClassVar

from falcon.routing import CompiledRouter


class Resource:
    """A route's resource; its methods are Falcon's `on_get`, `on_post` and so on."""

    #: Whether it is answered without a key, too: for balancers and monitors, which have none.
    is_open: ClassVar[bool] = False
    #: Methods that do not count against a caller's rate, since they make no renders.
    uncounted: ClassVar[frozenset[str]] = frozenset()
    #: Methods whose body is read.
    with_body: ClassVar[frozenset[str]] = frozenset()

    def counts(self, method: str) -> bool:
        """Whether a request counts against its caller's rate; one that is a 405 does not."""
        return method not in self.uncounted and hasattr(self, f"on_{method.lower()}")

    def admit(self) -> None:
        """Raises a `FarmError` where a request would be refused whatever its body is."""


_NOWHERE = Resource()


class Routes:
    """Which resource is where, by Falcon's own router, whose rules (`//render`) hold here too."""

    def __init__(self) -> None:
        self.router = CompiledRouter()

    def at(self, path: str) -> tuple[Resource, str | None]:
        """The resource and its template; where there is no route, a closed one and None."""
        found = self.router.find(path)
        if found is None:
            return _NOWHERE, None
        resource, _, _, template = found
        assert isinstance(resource, Resource)  # `App.add_route` has seen to it
        return resource, template
