"""The state of a page's main frame: its document, and the navigation that will replace it.

`activity` keeps it up to date from the page's events.
"""

from dataclasses import dataclass, field

from farm.render.browser.devtools import DevToolsError


class DocumentGone(DevToolsError):
    """The document that the command was for is gone, or is about to be replaced."""


@dataclass
class Document:
    """A document in the main frame. A navigation gives the page another one."""

    loader: str = ""
    url: str = ""
    status: int = 200
    #: The title, if it is known; empty if there is none, or if the document gave no answer.
    title: str = ""
    #: Its HTML is parsed.
    parsed: bool = False
    #: Its `load` event has fired, or its loading was stopped before that.
    loaded: bool = False
    #: Whether any of the answer's body has arrived.
    has_body: bool = False
    #: Chromium's name for the error that broke its answer off.
    failure: str | None = None
    #: The ids of answered requests for its fonts and style sheets, by URL.
    style_requests: dict[str, str] = field(default_factory=dict)
    #: The page now shows another document.
    is_gone: bool = False
    #: It is Chromium's own error page for `url`.
    is_error_page: bool = False
    #: It is the empty document after written HTML has reloaded itself. A navigation that shows the
    #: HTML again has been started.
    is_lost: bool = False


@dataclass
class Navigation:
    """A navigation that was requested. It has a `loader` once it has started."""

    url: str
    #: When it no longer counts, unless it has started.
    until: float
    loader: str | None = None
    scheduled: bool = False


@dataclass
class Answer:
    """The answer to the main frame's navigation, until the document replaces it."""

    status: int = 200
    has_body: bool = False
