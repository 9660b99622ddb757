"""A renderer in front of another: what was rendered before is not rendered again.

::

    request ── asks for the cache? ── no ──► rendered
                   │ yes
                found? ── yes ──► hit
                   │ no
                under way in this process? ── yes ──► wait for it ──► joined
                   │ no
                under way in another? ── yes ──► wait for it ──► joined
                   │ no
                rendered, kept if it is right ──► miss

Whoever waits does so within its own deadline. When a render fails or is cancelled, one of those who
wait for it renders next; errors are each request's own. Who has waited for two that failed waits
for no third: alone it would long have been told why. One that finds no place in the line, or loses
it to another caller, does not count as failed.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from farm.cache.bell import Bell
from farm.cache.joining import Flight, Flights
from farm.cache.key import Keys
from farm.cache.locks import Locks
from farm.cache.recent import RECENT_S, Recent
from farm.cache.store import Entry, Store
from farm.cache.ticket import Ticket
from farm.cache.value import Stored, encode, tag_of
from farm.errors import Busy, FarmError
from farm.formats import FILE_FORMATS
from farm.renderer import EngineStatus, Renderer
from farm.request import CacheUse, RenderRequest, RenderResult
from farm.settings import MAX_JOINED, Settings

#: For how many renders of others that fail a request waits.
_MAX_IN_VAIN = 2


class Browser(Renderer[Any], Protocol):
    """A renderer that knows what renders."""

    @property
    def chromium_version(self) -> str | None:
        """None: not yet."""


class CachedRenderer(Renderer[Ticket]):
    """`Renderer`'s docstrings say what each method does."""

    def __init__(
        self,
        inner: Renderer[Any],
        settings: Settings,
        keys: Keys,
        store: Store | None,
        recent_s: float = RECENT_S,
    ) -> None:
        """`store` None: nothing is kept, and only requests of this process join each other.

        `recent_s`: see `Recent`.
        """
        self._recent = Recent(recent_s)
        self._inner = inner
        self.limits = inner.limits
        self._keys = keys
        self._store = store
        self._default_ttl_s = settings.cache_ttl_s
        self._max_bytes = settings.cache_max_file_bytes
        self._deadline_s = settings.render_deadline_s
        self._flights = Flights(MAX_JOINED)
        self._locks = Locks(store) if store is not None else None
        self._closing = False

    @classmethod
    def over(cls, inner: Browser, settings: Settings) -> "CachedRenderer":
        """As the settings say. To be called after the fork."""
        store = None
        if settings.cache_address is not None:
            is_own = settings.has_embedded_cache
            store = Store(
                settings.cache_address,
                FILE_FORMATS,
                Bell.from_environment().ring if is_own else None,
                settings.cache_socket if is_own else None,
                settings.cache_timeout_ms / 1000,
            )
        keys = Keys(settings, lambda: inner.chromium_version)
        return cls(inner, settings, keys, store)

    def admit(self, caller: str | None = None) -> None:
        """Anything may be a hit while there are files, which takes neither page nor place."""
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
    ) -> Ticket:
        """What asks for the cache raises everything in `wait`."""
        ttl_s = self._default_ttl_s if request.cache is None else request.cache.ttl
        seconds = self._deadline_s if within_s is None else min(within_s, self._deadline_s)
        deadline = time.monotonic() + seconds
        ticket = Ticket(request, request_id, caller, deadline, seconds, ttl_s * 1000, anew)
        if ttl_s:
            ticket.key = self._keys.of(request, caller)
        if ticket.key is None:
            ticket.rendering = self._inner.begin(request, request_id, caller, anew, within_s)
        return ticket

    def wait(self, rendering: Ticket) -> RenderResult:
        ticket, key = rendering, rendering.key
        if key is None:
            result = self._inner.wait(ticket.rendering)
            return _off(result, tag_of(result.data)) if ticket.ttl_ms else result
        if ticket.anew:
            return self._render(ticket, key)
        if found := ticket.accept(self._recent.get(key)):
            return _hit(found)
        entry = None
        if self._store is not None and not self._flights.has(key):
            entry = self._store.enter(key)
            ticket.is_alone = entry is None
            if entry is not None and (found := ticket.accept(entry.stored)):
                self._recent.put(key, found)
                return _hit(found)
        return self._join(ticket, key, entry)

    def cancel(self, rendering: Ticket) -> None:
        rendering.cancelled = True
        rendering.woken.set()
        if rendering.rendering is not None:
            self._inner.cancel(rendering.rendering)

    def close(self) -> None:
        """Nobody waits for another process any more; what waits renders. The inner renderer is
        closed by whoever has made it.
        """
        self._closing = True
        if self._locks is not None:
            self._locks.close()
        if self._store is not None:
            self._store.close()

    def _join(self, ticket: Ticket, key: str, entry: Entry | None) -> RenderResult:
        """Make the flight that others of this process wait for, or be one of them."""
        while True:
            if ticket.in_vain >= _MAX_IN_VAIN:
                return self._render(ticket, key)
            is_mine = False
            try:
                flight, is_mine = self._flights.board(key, ticket, ticket.ttl_ms)
            finally:
                if not is_mine and entry is not None and entry.is_mine and self._store is not None:
                    # Who makes the flight was a moment quicker here, and waits for this lock.
                    self._store.finish(key, entry.token, None, 0)
            if is_mine:
                return self._fly(ticket, key, flight, entry)
            entry = None
            try:
                ticket.check()
                ticket.woken.wait(ticket.left_s)
            finally:
                self._flights.leave(flight, ticket)
            ticket.check()
            result = flight.result
            if result is None or result.cache is None:
                ticket.in_vain += flight.has_failed
                continue
            if result.cache.outcome != "hit":
                return ticket.joined(result)
            # A hit for the other one is one for this one too, if it may be as old.
            if result.cache.age_s * 1000 < ticket.ttl_ms:
                return result

    def _fly(self, ticket: Ticket, key: str, flight: Flight, entry: Entry | None) -> RenderResult:
        result = None
        try:
            result = self._find_or_render(ticket, key, flight, entry)
            return result
        except Busy:
            # It tells nothing about the page. Counted as a failure, it would have each of the
            # others ask a full line for a place of its own.
            raise
        except FarmError:
            flight.has_failed = True
            raise
        finally:
            self._flights.land(key, flight, result)

    def _find_or_render(
        self, ticket: Ticket, key: str, flight: Flight, entry: Entry | None
    ) -> RenderResult:
        """As one process of all that share the store; `entry`: what it said before."""
        store = self._store
        holders: set[bytes] = set()
        if ticket.is_alone and (found := ticket.accept(self._recent.get(key))):
            return _hit(found)  # of a flight that landed a moment ago
        while store is not None and not ticket.is_alone and not self._closing:
            if entry is None or entry.holder is None:
                entry = store.enter(key, anyway=entry is not None)
                if entry is None:
                    break
            if found := ticket.accept(entry.stored):
                self._recent.put(key, found)
                if entry.is_mine:
                    store.finish(key, entry.token, None, 0)
                return ticket.joined(_hit(found)) if holders else _hit(found)
            if entry.is_mine:
                return self._render(ticket, key, entry.token, flight)
            if entry.holder is not None:
                holders.add(entry.holder)
                if len(holders) > _MAX_IN_VAIN:
                    break
                with self._flights.place():
                    store.wait_end(entry.holder, ticket.left_s)
                entry = None
            ticket.check()
        return self._render(ticket, key, None, flight)

    def _render(
        self, ticket: Ticket, key: str, token: str | None = None, flight: Flight | None = None
    ) -> RenderResult:
        """Render it, keep it if it is right, and let go of the lock that `token` is for."""
        value, ttl_ms = None, 0
        kept, is_newest = None, False
        try:
            with self._held(key, token):
                result = self._render_inside(ticket)
            is_newest = ticket.anew
            tag = tag_of(result.data)
            # Bytes, which all who join can share.
            result = _off(replace(result, content=result.data), tag)
            ttl_ms = max(ticket.ttl_ms, ticket.old_left_ms, flight.ttl_ms if flight else 0)
            if self._store is not None and result.is_right and result.size <= self._max_bytes:
                value = encode(key, result, tag, ttl_ms)
        finally:
            if self._store is not None:
                kept = self._store.finish(key, token, value, ttl_ms, is_newest)
        if is_newest:
            self._flights.close(key)
            self._recent.drop(key)
        if kept:
            self._recent.put(key, Stored.of(result, tag, ttl_ms))
        return result if kept is None else replace(result, cache=CacheUse("miss", tag))

    def _render_inside(self, ticket: Ticket) -> RenderResult:
        ticket.check()
        ticket.rendering = self._inner.begin(
            ticket.request, ticket.request_id, ticket.caller, ticket.anew, ticket.left_s
        )
        if ticket.cancelled:  # before there was anything to cancel
            self._inner.cancel(ticket.rendering)
        return self._inner.wait(ticket.rendering)

    def _held(self, key: str, token: str | None) -> AbstractContextManager[None]:
        return self._locks.held(key, token) if self._locks and token else nullcontext()


def _off(result: RenderResult, tag: str) -> RenderResult:
    return replace(result, cache=CacheUse("off", tag))


def _hit(stored: Stored) -> RenderResult:
    return stored.result(CacheUse("hit", stored.tag, stored.age_ms // 1000))
