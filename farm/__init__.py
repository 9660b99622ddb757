"""Render Farm: HTML and URLs in over HTTP; PNG, JPEG, WebP and PDF out.

The way of a request: bytes → `RenderRequest` (parsed and validated once) → `Engine.render` →
`RenderResult` (the file and what is known of it) → answer.

The layers; imports point down only::

    cli, wsgi, doctor        composition roots: read the environment, build, wire
    web/                     Falcon: routes, bodies, answers
    render/                  the engine: Playwright, pages, supervision
    request  settings  errors  logs

Each third-party library is used in one place: Falcon in `web/`, Playwright in `render/`; gunicorn
is only configured (`conf/gunicorn.conf.py`). Nothing below `web/` knows HTTP, nothing above
`render/` knows Playwright.
"""

__version__ = "0.1.0"
