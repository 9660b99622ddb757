"""The sessions of one page: its own, and those of its workers and of frames of other processes.

`Page` makes them. The steps of a render add handlers of events, and send commands to all sessions.
All of it runs in the browser's thread: in greenlets, and in callbacks of the loop for events.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from farm.render.browser.devtools import DevToolsError, Params, Session

#: How many children (frames of other processes, and workers) one page may have. More would keep the
#: browser's thread busy: further children are not attached to.
_MAX_CHILDREN = 200
#: Frames and workers that are nested deeper are not waited for. A page could nest them for ever,
#: and each costs the browser a session.
_MAX_DEPTH = 8


class Sessions:
    """Iterating over it yields the sessions that the page has now, its own first."""

    def __init__(self, main: Session, prepare_frame: Callable[[Session], None]) -> None:
        """`prepare_frame` is called with each frame of another process, before all else."""
        self._main = main
        self._prepare_frame = prepare_frame
        #: The handlers, each with its event.
        self._handlers: list[tuple[str, Callable[[Params], None]]] = []
        #: How many children the page has had.
        self.adopted = 0
        #: Called with each worker: its `TargetInfo` and its session.
        self.on_worker: Callable[[Params, Session], None] = lambda _info, _session: None
        #: Called with each worker and each frame of another process (its `TargetInfo` and its
        #: session), before it begins to run.
        self.prepare_child: list[Callable[[Params, Session], None]] = []

    def __iter__(self) -> Iterator[Session]:
        return iter([self._main, *_descendants(self._main)])

    def attach(self) -> None:
        """Attach to all children that the page will have, before they begin to run."""
        self._attach_children(self._main)

    def on(self, event: str, handler: Callable[[Params], None]) -> None:
        """Call the handler at each such event of the page, its frames and its workers."""
        self._handlers.append((event, handler))
        for session in self:
            session.on(event, handler)

    def forget_handlers(self) -> None:
        """Remove all handlers: those of the last render, if the page is used again."""
        for event, handler in self._handlers:
            for session in self:
                session.off(event, handler)
        self._handlers.clear()

    def interrupt(self, error: DevToolsError) -> None:
        """End all current waits of the page, its frames and its workers with the error."""
        for session in self:
            session.interrupt(error)

    def _attach_children(self, session: Session, depth: int = 1) -> None:
        """Attach to workers and to frames of other processes before they begin to run."""
        kinds = [{"type": "iframe"}, {"type": "worker"}]
        params = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        session.on("Target.attachedToTarget", lambda params: self._adopt(session, params, depth))
        session.post("Target.setAutoAttach", {**params, "filter": kinds})

    def _stop_attaching(self) -> None:
        """The page has more children than any page needs: do not attach to further ones."""
        for session in self:
            with suppress(DevToolsError):
                params = {"autoAttach": False, "waitForDebuggerOnStart": False, "flatten": True}
                session.post("Target.setAutoAttach", params)

    def _adopt(self, parent: Session, params: Params, depth: int) -> None:
        self.adopted += 1
        if self.adopted == _MAX_CHILDREN:
            self._stop_attaching()
        info, child = params["targetInfo"], parent.adopt(params["sessionId"])
        for event, handler in self._handlers:
            child.on(event, handler)
        with suppress(DevToolsError):
            if self.adopted < _MAX_CHILDREN and depth < _MAX_DEPTH:
                self._attach_children(child, depth + 1)
            if info["type"] == "iframe":
                child.post("Page.enable")
                self._prepare_frame(child)
            else:
                self.on_worker(info, child)
            child.post("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
            for prepare in self.prepare_child:
                prepare(info, child)
            child.post("Runtime.runIfWaitingForDebugger")


def _descendants(session: Session) -> Iterator[Session]:
    for child in list(session.children.values()):
        yield child
        yield from _descendants(child)
