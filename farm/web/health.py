"""`/health` and `/status`: whether this worker process can render, its capacity and its load."""

import json
import time
from typing import Any

import falcon

import farm
from farm.clock import timestamp
from farm.renderer import Renderer
from farm.web.routes import Resource


class HealthResource(Resource):
    """`GET` and `HEAD /health`: 200 while this worker process can render, else 503."""

    is_open = True
    uncounted = frozenset({"GET", "HEAD"})

    def __init__(self, renderer: Renderer[Any]) -> None:
        self._renderer = renderer

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._renderer.check()
        now = timestamp()
        # The details are Gotenberg's, whose clients call the same route.
        details = {"chromium": {"status": "up", "timestamp": now}}
        resp.data = json.dumps({"status": "ok", "timestamp": now, "details": details}).encode()

    on_head = on_get


class StatusResource(Resource):
    """`GET /status`: this worker process's version, capacity and load."""

    uncounted = frozenset({"GET"})

    def __init__(self, renderer: Renderer[Any]) -> None:
        self._renderer = renderer
        self._started = time.monotonic()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        status = self._renderer.status
        answer = {
            "status": "running",
            "service": "render-farm",
            "timestamp": timestamp(),
            "version": farm.__version__,
            "uptimeSeconds": round(time.monotonic() - self._started, 3),
            "capacity": {"pages": status.pages, "waiting": status.max_waiting},
            "use": {
                "rendering": status.rendering,
                "waiting": status.waiting,
                "spareContexts": status.spares,
                "keptContexts": status.kept_contexts,
            },
            "browser": {
                "up": status.up,
                "restarts": status.browser_restarts,
                "recycles": status.browser_recycles,
            },
            "retries": status.retries,
            "latePages": dict(status.late_pages),
            "cache": status.cache,
        }
        resp.data = json.dumps(answer).encode()
