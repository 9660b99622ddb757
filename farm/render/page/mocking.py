"""Answers requests of a page as the render's request says (`mock`), instead of sending them."""

from farm.render.page.interception import Paused
from farm.render.page.matching import Matching
from farm.render.page.work import Work
from farm.request.mocking import Mock

#: Bytes that one page may get, however often it asks: each answer costs the browser's thread time.
_MAX_SERVED_BYTES = 512 << 20


class _Mocks:
    def __init__(self, mocks: tuple[Mock, ...]) -> None:
        self._mocks = mocks
        self._matching = Matching([mock.url for mock in mocks])
        self._left = _MAX_SERVED_BYTES

    def answer(self, paused: Paused) -> None:
        if paused.kind == "Document":
            return
        found = self._matching.find(paused.url)
        if found is None:
            return
        mock = self._mocks[found]
        body = mock.base64 or (mock.text or "").encode()
        self._left -= len(body)
        if self._left < 0:
            paused.fail("Failed")
            return
        names = {name.lower() for name in mock.headers}
        typed = {"Content-Type": mock.content_type} if mock.content_type is not None else {}
        headers = mock.headers if "content-type" in names else {**typed, **mock.headers}
        paused.fulfil(mock.status, headers, body)


def prepare(work: Work) -> None:
    """Add the mocks before anything is loaded, and after the blocking."""
    if work.options.mock:
        mocks = _Mocks(work.options.mock)
        work.activity.await_answer(work.interception.add(mocks.answer, [{"urlPattern": "*"}]))
