"""Render Farm: a service that turns HTML, Markdown and URLs into PNG, JPEG, WebP, AVIF and PDF.

A request passes these steps: bytes → `RenderRequest` (parsed and validated once) →
`Renderer.render` → `RenderResult` (the file and its facts) → answer. A job passes the same steps,
with a queue before `Renderer.render` and a storage after it.

The layers. Imports point down only, which tests/test_layers.py checks::

    cli, commands, wsgi,              composition roots: read the environment, build, wire
    gunicorn_conf, supervisor, doctor
    web/            jobs/             HTTP routes and answers · queue, records, worker
    metrics/        cache/            figures for Prometheus · rendered files that are kept
    render/                           the engine: Chromium, pages, supervision
    egress/         markdown/         the proxy that pages use · Markdown to HTML
    storage                           jobs' inputs and files
    renderer  job                     interfaces: a renderer, the job queue
    request/  settings/  policy/      values: a request, the settings, the egress policy
    errors  parsing  logs  formats

`client/` talks to a running farm over HTTP. No package of the server imports it, and it imports
none. `web/` and `jobs/` do not import each other: the interface between them is in `job`. Each
library is used in one place, such as Falcon in `web/`, RQ in `jobs/`, Playwright in `render/`,
prometheus_client in `metrics/` and obstore in `storage`. `web/serving/` extends gunicorn's worker,
and `gunicorn_conf.py` configures it.
"""

__version__ = "0.1.0"
