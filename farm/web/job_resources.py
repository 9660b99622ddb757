"""The routes of jobs: submit, ask, cancel, download."""

import base64
import json
import re
from typing import Any

import falcon

from farm.errors import InvalidRequest, NotFound, NotReady, Problem
from farm.job import Jobs, State
from farm.render import Engine
from farm.request import HTML_OR_URL, RenderRequest
from farm.web.access import logged
from farm.web.body import Bodies
from farm.web.downloads import NO_FILE, Downloads

_MAX_WAIT_S = 30
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class SubmitResource:
    """`POST /render-async`: validated and stored, then queued, then answered."""

    def __init__(self, engine: Engine, bodies: Bodies, jobs: Jobs) -> None:
        self._engine = engine
        self._bodies = bodies
        self._jobs = jobs

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        with logged("submit", req) as line:
            key = _idempotency_key(req)
            with self._bodies.read(req) as body:
                request = RenderRequest.parse(body, HTML_OR_URL, self._engine.limits)
                del body
                job_id = self._jobs.submit(request, req.context.log_id, key)
            line |= {"format": request.options.format, "job_id": job_id}
        url = f"/render-async/{job_id}"
        answer = {
            "success": True,
            "jobId": job_id,
            "statusUrl": url,
            "requestId": req.context.id,
        }
        resp.status = falcon.HTTP_ACCEPTED
        resp.set_header("Location", url)
        resp.data = json.dumps(answer).encode()


class JobResource:
    """`GET` and `DELETE /render-async/{jobId}`."""

    def __init__(self, jobs: Jobs, downloads: Downloads) -> None:
        self._jobs = jobs
        self._downloads = downloads

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        wait_s, with_image = _parse_query(req)
        if wait_s:
            self._jobs.wait(job_id, wait_s)
        record, position = self._jobs.read(job_id)
        answer = record.public()
        if position is not None:
            answer["position"] = position
        if with_image and record.status is State.COMPLETED:
            data = self._downloads.whole(job_id)
            answer["imageBase64"] = base64.b64encode(data).decode()
        resp.set_header("Cache-Control", "no-store")
        resp.data = json.dumps(answer).encode()

    def on_delete(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        with logged("cancel", req):
            record = self._jobs.cancel(job_id)
        resp.data = json.dumps(record.public()).encode()


class DownloadResource:
    """`GET /download/{jobId}`: the file, as an attachment."""

    def __init__(self, engine: Engine, jobs: Jobs, downloads: Downloads) -> None:
        self._formats = engine.limits.formats
        self._jobs = jobs
        self._downloads = downloads

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        record, _ = self._jobs.read(job_id)
        if not record.status.final:
            raise NotReady()
        if record.status is not State.COMPLETED or record.format is None:
            raise NotFound(NO_FILE)
        self._downloads.answer(req, resp, job_id)
        format_ = self._formats[record.format]
        resp.content_type = format_.media_type
        resp.downloadable_as = f"{job_id}.{format_.name}"
        resp.set_header("Cache-Control", "private, no-cache")

    on_head = on_get


def _idempotency_key(req: falcon.Request) -> str | None:
    key = req.get_header("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        text = "must be 1 to 255 visible ASCII characters"
        raise _invalid("Idempotency-Key", text)
    return key


def _parse_query(req: falcon.Request) -> tuple[float, bool]:
    """`wait` in seconds, and `image`."""
    params: dict[str, Any] = dict(req.params)
    try:
        wait_s = float(params.pop("wait", 0))
    except (ValueError, TypeError):
        wait_s = -1
    if not 0 <= wait_s <= _MAX_WAIT_S:
        raise _invalid("wait", f"must be a number from 0 to {_MAX_WAIT_S} (seconds)")
    image = params.pop("image", "false")
    if image not in ("true", "false"):
        raise _invalid("image", "must be true or false")
    for name in params:
        raise _invalid(name, "unknown parameter")
    return wait_s, image == "true"


def _invalid(field: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {problem}.", [Problem(field, problem)])
