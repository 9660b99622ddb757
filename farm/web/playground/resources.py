"""The resources of the farm's own pages.

They need no API key: the playground asks its user for one if the farm has keys. The pages insert
results of renders as text, never as markup. Each page also has a Content-Security-Policy that would
keep such markup from running.
"""

from typing import Protocol, runtime_checkable

import falcon

from farm.errors import NotFound
from farm.web.negotiation import has_tag, names_html, takes_gzip
from farm.web.playground.files import File, Folder
from farm.web.routes import Resource

#: The policy of the playground. Its pictures and PDFs are `blob:` URLs that it makes itself.
#: `trusted-types` forbids every way to turn text into markup.
PLAYGROUND_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; frame-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
#: The policy of the API page. Swagger UI sets `style` attributes.
API_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
#: The policy of all other files, which are not pages.
_FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Browsers revalidate a page each time. The page's files have their digest in the URL, so browsers
#: may cache them for ever.
_ANEW = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"


@runtime_checkable
class HasGet(Protocol):
    """A resource that answers `GET`."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None: ...


class FileResource(Resource):
    """One file with a route of its own."""

    is_open = True
    uncounted = frozenset({"GET"})

    def __init__(self, file: File, policy: str = _FILE_POLICY) -> None:
        self._file = file
        self._policy = policy

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        _answer(req, resp, self._file, self._policy, _ANEW)


class HomeResource(FileResource):
    """`GET /`: the playground. Clients that do not ask for HTML get `other`, if there is one."""

    def __init__(self, file: File, policy: str, other: HasGet | None) -> None:
        super().__init__(file, policy)
        self._other = other

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        if self._other is None or names_html(req.get_header("Accept")):
            super().on_get(req, resp)
        else:
            self._other.on_get(req, resp)
        resp.append_header("Vary", "Accept")


class FolderResource(Resource):
    """`GET /playground/{digest}/{name}` and `…/{folder}/{name}`: the files of the pages."""

    is_open = True
    uncounted = frozenset({"GET"})

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def on_get(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        digest: str,
        name: str,
        inner: str | None = None,
    ) -> None:
        file = self._folder.files.get(name if inner is None else f"{name}/{inner}")
        if file is None:
            raise NotFound()
        # An instance of another version behind the same load balancer may have sent the page. Then
        # the digest differs, and the answer must not be cached for ever.
        keep = _FOR_EVER if digest == self._folder.digest else _ANEW
        _answer(req, resp, file, _FILE_POLICY, keep)


def _answer(req: falcon.Request, resp: falcon.Response, file: File, policy: str, keep: str) -> None:
    for name, value in _SAFE.items():
        resp.set_header(name, value)
    resp.set_header("Content-Security-Policy", policy)
    resp.set_header("Cache-Control", keep)
    resp.set_header("Vary", "Accept-Encoding")
    # A weak ETag: the gzipped and the plain form have the same one.
    etag = f'W/"{file.tag}"'
    resp.set_header("ETag", etag)
    if has_tag(req.get_header("If-None-Match"), etag):
        resp.status = falcon.HTTP_NOT_MODIFIED
        return
    resp.content_type = file.media_type
    if file.gzipped is not None and takes_gzip(req.get_header("Accept-Encoding")):
        resp.set_header("Content-Encoding", "gzip")
        resp.data = file.gzipped
    else:
        resp.data = file.data
