"""A renderer in front of another: a file that was rendered before is not rendered again.

Threads that handle requests or do jobs call it::

    request ── asks for the cache? ── no ──► rendered
                   │ yes
                found? ── yes ──► hit
                   │ no
                being rendered in this process? ── yes ──► wait ──► joined
                   │ no
                being rendered in another process? ── yes ──► wait ──► joined
                   │ no
                rendered, and kept if it is reproducible ──► miss

This module decides whether a request asks for the cache, and looks for a kept file. The steps after
that are in `render_once`.
"""

import time
from dataclasses import replace
from typing import Any, Protocol

from farm.cache.joining import SharedRenders
from farm.cache.key import Keys
from farm.cache.pending import PendingRender
from farm.cache.recent import RECENT_S, Recent
from farm.cache.render_once import RenderOnce, hit, off
from farm.cache.store import Store
from farm.cache.supervisor_socket import SupervisorSocket
from farm.cache.value import tag_of
from farm.errors import Busy
from farm.formats import FILE_FORMATS
from farm.renderer import EngineStatus, Renderer
from farm.request import RenderRequest, RenderResult
from farm.settings import MAX_JOINED, Settings


class Browser(Renderer[Any], Protocol):
    """A renderer that knows its Chromium's version."""

    @property
    def chromium_version(self) -> str | None:
        """None: not known yet."""


class CachedRenderer(Renderer[PendingRender]):
    """The docstrings of `Renderer` say what each method does."""

    def __init__(
        self,
        inner: Renderer[Any],
        settings: Settings,
        keys: Keys,
        store: Store | None,
        recent_s: float = RECENT_S,
    ) -> None:
        """`store` None: no file is kept, and only requests of this process join each other.

        `recent_s`: see `Recent`.
        """
        self._recent = Recent(recent_s)
        self._inner = inner
        self.limits = inner.limits
        self._keys = keys
        self._store = store
        self._default_ttl_s = settings.cache_ttl_s
        self._deadline_s = settings.render_deadline_s
        self._shared = SharedRenders(MAX_JOINED)
        self._once = RenderOnce(
            inner, store, self._recent, self._shared, settings.cache_max_file_bytes
        )

    @classmethod
    def over(cls, inner: Browser, settings: Settings) -> "CachedRenderer":
        """A cached renderer with the store of the settings. Call it after the fork."""
        store = None
        if settings.cache_address is not None:
            is_own = settings.has_embedded_cache
            store = Store(
                settings.cache_address,
                FILE_FORMATS,
                SupervisorSocket.from_environment().request_cache if is_own else None,
                settings.cache_socket if is_own else None,
                settings.cache_timeout_ms / 1000,
            )
        keys = Keys(settings, lambda: inner.chromium_version)
        return cls(inner, settings, keys, store)

    def admit(self, caller: str | None = None) -> None:
        """Admits every request while files may be kept, since a hit needs no page."""
        try:
            self._inner.admit(caller)
        except Busy:
            if self._store is None or not self._store.may_have:
                raise

    def check(self) -> None:
        self._inner.check()

    @property
    def status(self) -> EngineStatus:
        return replace(self._inner.status, cache=self._store.state if self._store else "off")

    def begin(
        self,
        request: RenderRequest,
        request_id: str = "",
        caller: str | None = None,
        anew: bool = False,
        within_s: float | None = None,
    ) -> PendingRender:
        """For a request that asks for the cache, every error is raised by `wait`."""
        ttl_s = self._default_ttl_s if request.cache is None else request.cache.ttl
        seconds = self._deadline_s if within_s is None else min(within_s, self._deadline_s)
        deadline = time.monotonic() + seconds
        pending = PendingRender(request, request_id, caller, deadline, seconds, ttl_s * 1000, anew)
        if ttl_s:
            pending.key = self._keys.of(request, caller)
        if pending.key is None:
            pending.rendering = self._inner.begin(request, request_id, caller, anew, within_s)
        return pending

    def wait(self, rendering: PendingRender) -> RenderResult:
        pending, key = rendering, rendering.key
        if key is None:
            result = self._inner.wait(pending.rendering)
            return off(result, tag_of(result.data)) if pending.ttl_ms else result
        if pending.anew:
            return self._once.render(pending, key)
        if found := pending.accept(self._recent.get(key)):
            return hit(found)
        entry = None
        if self._store is not None and not self._shared.has(key):
            entry = self._store.find_or_lock(key)
            pending.without_store = entry is None
            if entry is not None and (found := pending.accept(entry.stored)):
                self._recent.put(key, found)
                return hit(found)
        return self._once.join(pending, key, entry)

    def cancel(self, rendering: PendingRender) -> None:
        rendering.cancelled = True
        rendering.woken.set()
        if rendering.rendering is not None:
            self._inner.cancel(rendering.rendering)

    def close(self) -> None:
        """Stop waiting for other processes: requests that wait for one render themselves.

        Does not close the inner renderer; its owner does.
        """
        self._once.close()
        if self._store is not None:
            self._store.close()
