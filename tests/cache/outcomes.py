"""Requests that ask for the cache, and what it did for each."""

import json

from farm.cache import CachedRenderer
from farm.request import HTML_OR_URL, CacheUse, RenderRequest, RenderResult

HTML = "<body style='margin:0;background:lime'>"


def request(
    renderer: CachedRenderer, ttl: int | None = 60, url: str | None = None, html: str = HTML
) -> RenderRequest:
    """A small picture of the URL, if there is one, or else of the HTML."""
    body: dict[str, object] = {"html": html} if url is None else {"url": url}
    body |= {"options": {"width": 64, "height": 32}}
    if ttl is not None:
        body |= {"cache": {"ttl": ttl}}
    return RenderRequest.parse(json.dumps(body).encode(), HTML_OR_URL, renderer.limits)


def use(result: RenderResult) -> CacheUse:
    """What the cache did for the result of a request that asked for it."""
    assert result.cache is not None
    return result.cache


def outcomes(renderer: CachedRenderer, *requests: RenderRequest) -> list[str]:
    return [use(renderer.render(each)).outcome for each in requests]
