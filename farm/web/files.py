"""Answers with a rendered file itself, or with 304 if the client has it already."""

import falcon

from farm.formats import ZIP
from farm.request import RenderResult
from farm.web.negotiation import has_tag


def answer_not_modified(req: falcon.Request, resp: falcon.Response, result: RenderResult) -> bool:
    """Set the `ETag`. True if the client has the file already; then the answer is 304."""
    if result.cache is None:
        return False
    # JSON answers have no ETag, since each contains a request id of its own.
    etag = f'"{result.cache.tag}"'
    resp.set_header("ETag", etag)
    if not has_tag(req.get_header("If-None-Match"), etag):
        return False
    resp.status = falcon.HTTP_NOT_MODIFIED
    return True


def put_file(resp: falcon.Response, result: RenderResult) -> None:
    """Make the file the answer's body."""
    resp.content_type = result.format.media_type
    if result.format != ZIP:
        resp.set_header("X-Image-Width", str(result.width))
        resp.set_header("X-Image-Height", str(result.height))
    if result.unfinished:
        resp.set_header("X-Unfinished", str(len(result.unfinished)))
    resp.data = result.data
