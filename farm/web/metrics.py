"""`/metrics`, and the middleware that counts requests for it."""

import time

import falcon

from farm.job import JobQueue
from farm.metrics import exposition, figures
from farm.web.routes import Resource


class Requests:
    """Counts and times all answers, by the route's template."""

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        seconds = time.perf_counter() - req.context.arrived
        figures.request(req.uri_template or "unknown", req.method, str(resp.status_code), seconds)


class MetricsResource(Resource):
    """`GET /metrics`: figures of this instance's processes and of the queue, for Prometheus."""

    uncounted = frozenset({"GET"})

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = exposition.MEDIA_TYPE
        resp.data = exposition.text(self._queue)
