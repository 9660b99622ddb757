"""Renders a file once for all equal requests, of this process and of the others.

`CachedRenderer` calls it for a request whose file is not kept, in the thread that waits for the
render. Every request waits within its own deadline. If a render fails or is cancelled, one of the
requests that wait for it renders next; each request gets its own error. A request that has waited
for two failed renders does not wait for a third: it renders itself, so that its caller gets the
cause in time. A render that is refused as `busy` does not count as failed.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from farm.cache.joining import SharedRender, SharedRenders
from farm.cache.locks import Locks
from farm.cache.pending import PendingRender
from farm.cache.recent import Recent
from farm.cache.store import Entry, Store
from farm.cache.value import Stored, encode, tag_of
from farm.errors import Busy, FarmError
from farm.renderer import Renderer
from farm.request import CacheUse, RenderResult

#: The renders of other requests that end without a file, after which a request renders itself.
_MAX_FAILED_WAITS = 2


class RenderOnce:
    """Joins equal requests. One of them renders."""

    def __init__(
        self,
        inner: Renderer[Any],
        store: Store | None,
        recent: Recent,
        shared: SharedRenders,
        max_bytes: int,
    ) -> None:
        """`max_bytes`: larger files are not kept."""
        self._inner = inner
        self._store = store
        self._recent = recent
        self._shared = shared
        self._locks = Locks(store) if store is not None else None
        self._max_bytes = max_bytes
        self._closing = False

    def close(self) -> None:
        """From now on no request waits for another process."""
        self._closing = True
        if self._locks is not None:
            self._locks.close()

    def join(self, pending: PendingRender, key: str, entry: Entry | None) -> RenderResult:
        """Wait for the render of an equal request of this process, or be the one that renders.

        `entry`: the store's answer for this key; None: it was not asked, or did not answer.
        """
        while True:
            if pending.failed_waits >= _MAX_FAILED_WAITS:
                return self.render(pending, key)
            is_mine = False
            try:
                shared, is_mine = self._shared.join(key, pending, pending.ttl_ms)
            finally:
                if not is_mine and entry is not None and entry.is_mine and self._store is not None:
                    # Another request of this process joined first, and waits for this lock.
                    self._store.finish(key, entry.token, None, 0)
            if is_mine:
                return self._render_for_all(pending, key, shared, entry)
            entry = None
            try:
                pending.check()
                pending.woken.wait(pending.left_s)
            finally:
                self._shared.stop_waiting(shared, pending)
            pending.check()
            result = shared.result
            if result is None or result.cache is None:
                pending.failed_waits += shared.has_failed
                continue
            if result.cache.outcome != "hit":
                return pending.joined(result)
            # The other request's hit is a hit for this one too, if this one accepts its age.
            if result.cache.age_s * 1000 < pending.ttl_ms:
                return result

    def _render_for_all(
        self, pending: PendingRender, key: str, shared: SharedRender, entry: Entry | None
    ) -> RenderResult:
        result = None
        try:
            result = self._find_or_render(pending, key, shared, entry)
            return result
        except Busy:
            # A full queue says nothing about the page. If `Busy` counted as a failure, each of the
            # waiting requests would ask the full queue for a place of its own.
            raise
        except FarmError:
            shared.has_failed = True
            raise
        finally:
            self._shared.finish(key, shared, result)

    def _find_or_render(
        self, pending: PendingRender, key: str, shared: SharedRender, entry: Entry | None
    ) -> RenderResult:
        """Take the file that another process keeps or renders; otherwise render it.

        `entry`: as for `join`.
        """
        store = self._store
        holders: set[bytes] = set()
        if pending.without_store and (found := pending.accept(self._recent.get(key))):
            return hit(found)  # of a shared render that ended a moment ago
        while store is not None and not pending.without_store and not self._closing:
            # An entry without a holder has a file that this request does not accept. Its lock was
            # not asked for, and is taken now despite the file.
            if entry is None or entry.holder is None:
                entry = store.find_or_lock(key, anyway=entry is not None)
                if entry is None:
                    break
            if found := pending.accept(entry.stored):
                self._recent.put(key, found)
                if entry.is_mine:
                    store.finish(key, entry.token, None, 0)
                return pending.joined(hit(found)) if holders else hit(found)
            if entry.is_mine:
                return self.render(pending, key, entry.token, shared)
            if entry.holder is not None:
                holders.add(entry.holder)
                if len(holders) > _MAX_FAILED_WAITS:
                    break
                with self._shared.waiting_place():
                    store.wait_end(entry.holder, pending.left_s)
                entry = None
            pending.check()
        return self.render(pending, key, None, shared)

    def render(
        self,
        pending: PendingRender,
        key: str,
        token: str | None = None,
        shared: SharedRender | None = None,
    ) -> RenderResult:
        """Render the file, keep it if it is reproducible, and release the lock of `token`."""
        value, ttl_ms = None, 0
        kept, is_newest = None, False
        try:
            with self._held(key, token):
                result = self._render_inside(pending)
            is_newest = pending.anew
            tag = tag_of(result.data)
            # Bytes, which all requests that join can share.
            result = off(replace(result, content=result.data), tag)
            ttl_ms = max(pending.ttl_ms, pending.old_left_ms, shared.ttl_ms if shared else 0)
            if (
                self._store is not None
                and result.is_reproducible
                and result.size <= self._max_bytes
            ):
                value = encode(key, result, tag, ttl_ms)
        finally:
            if self._store is not None:
                kept = self._store.finish(key, token, value, ttl_ms, is_newest)
        if is_newest:
            self._shared.detach(key)
            self._recent.drop(key)
        if kept:
            self._recent.put(key, Stored.of(result, tag, ttl_ms))
        return result if kept is None else replace(result, cache=CacheUse("miss", tag))

    def _render_inside(self, pending: PendingRender) -> RenderResult:
        pending.check()
        pending.rendering = self._inner.begin(
            pending.request, pending.request_id, pending.caller, pending.anew, pending.left_s
        )
        if pending.cancelled:  # before `rendering` was set, so `cancel` could not end it
            self._inner.cancel(pending.rendering)
        return self._inner.wait(pending.rendering)

    def _held(self, key: str, token: str | None) -> AbstractContextManager[None]:
        return self._locks.held(key, token) if self._locks and token else nullcontext()


def off(result: RenderResult, tag: str) -> RenderResult:
    return replace(result, cache=CacheUse("off", tag))


def hit(stored: Stored) -> RenderResult:
    return stored.result(CacheUse("hit", stored.tag, stored.age_ms // 1000))
