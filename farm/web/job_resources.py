"""The routes of jobs: submit, read, cancel, send the webhook again, download."""

import base64
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import falcon

from farm.bundle import Member, members
from farm.errors import InvalidRequest, NotFound, NotReady, Problem
from farm.formats import FILE_FORMATS, FORMATS, Format
from farm.job import JobQueue, Record, State, file_name
from farm.request import HTML_OR_URL, Limits
from farm.request.result import OUTPUTS
from farm.storage import NotStored, Storage
from farm.web.body import Bodies
from farm.web.downloads import NO_FILE, Downloads
from farm.web.negotiation import wants_anew
from farm.web.request_forms import read_request
from farm.web.request_log import logged
from farm.web.routes import FORM, JSON, Resource

_MAX_WAIT_S = 30
_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,9})?")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class SubmitResource(Resource):
    """`POST /render-async`: validates, stores and queues a request, then answers."""

    with_body = frozenset({"POST"})
    media_types = (JSON, FORM)

    def __init__(
        self, limits: Limits, bodies: Bodies, queue: JobQueue, cache_ttl_s: int = 0
    ) -> None:
        """`cache_ttl_s`: the cache's TTL for requests that do not name one."""
        self._limits = limits
        self._cache_ttl_s = cache_ttl_s
        self._bodies = bodies
        self._queue = queue

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        with logged("submit", req) as line:
            key = _idempotency_key(req)
            with self._bodies.read(req, self) as body:
                request = read_request(req, body, HTML_OR_URL, self._limits)
                del body
                # A request that does not use the cache stays unchanged, so that its stored form
                # and its digest do.
                if (request.cache or self._cache_ttl_s) and wants_anew(
                    req.get_header("Cache-Control")
                ):
                    request = request.without_cache()
                job_id = self._queue.submit(request, req.context.log_id, key, req.context.caller)
            line |= {"format": request.format.name, "job_id": job_id}
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


class JobResource(Resource):
    """`GET` and `DELETE /render-async/{jobId}`."""

    uncounted = frozenset({"GET", "DELETE"})

    def __init__(self, queue: JobQueue, storage: Storage, downloads: Downloads) -> None:
        self._queue = queue
        self._storage = storage
        self._downloads = downloads

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        with logged("poll", req, only_errors=True):
            wait_s, with_image = _parse_query(req)
            if wait_s:
                self._queue.wait(job_id, wait_s, req.context.caller)
            record, position = self._queue.read(job_id, req.context.caller)
            answer = record.public()
            if position is not None:
                answer["position"] = position
            if with_image and record.status is State.COMPLETED:
                # The answer is as large as a download, so it takes a download's place.
                resp.stream = self._downloads.send(req, lambda: self._with_image(job_id, answer))
            else:
                resp.data = json.dumps(answer).encode()
        resp.set_header("Cache-Control", "no-store")

    def _with_image(self, job_id: str, answer: dict[str, Any]) -> Iterator[bytes]:
        """The answer in pieces, since a file may have hundreds of megabytes."""
        try:
            size = self._storage.stat(file_name(job_id)).size
            pieces = self._storage.stream(file_name(job_id), 0, size)
        except NotStored as exc:
            raise NotFound(NO_FILE) from exc
        head, tail = json.dumps(answer | {"imageBase64": ""}).rsplit('""', 1)
        return itertools.chain([f'{head}"'.encode()], _base64(pieces), [f'"{tail}'.encode()])

    def on_delete(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        with logged("cancel", req):
            record = self._queue.cancel(job_id, req.context.caller)
        resp.data = json.dumps(record.public()).encode()


class WebhookResource(Resource):
    """`POST /render-async/{jobId}/webhook`: sends the job's webhooks again."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    def on_post(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        with logged("webhook again", req):
            record = self._queue.send_again(job_id, req.context.caller)
        resp.status = falcon.HTTP_ACCEPTED
        resp.data = json.dumps(record.public()).encode()


class DownloadResource(Resource):
    """`GET /download/{jobId}`: the job's file as an attachment; `…/{name}`: one of its files."""

    uncounted = frozenset({"GET", "HEAD"})

    def __init__(self, queue: JobQueue, downloads: Downloads) -> None:
        self._queue = queue
        self._downloads = downloads

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, job_id: str, name: str | None = None
    ) -> None:
        with logged("download", req) as line:
            record, _ = self._queue.read(job_id, req.context.caller)
            if not record.status.final:
                raise NotReady()
            # An older version of the farm may not know the format.
            format_ = FILE_FORMATS.get(record.format or "")
            if record.status is not State.COMPLETED or format_ is None:
                raise NotFound(NO_FILE)
            part, size, file_name = None, record.size, f"{job_id}.{format_.name}"
            if name is not None:
                part, format_ = _part(record, name)
                size, file_name = part.size, part.file_name
            self._downloads.answer(req, resp, job_id, part)
            resp.set_header("Cache-Control", "private, no-cache")
            if resp.status != falcon.HTTP_NOT_MODIFIED:
                resp.content_type = format_.media_type
                resp.downloadable_as = file_name
            line["bytes"] = size

    on_head = on_get


def _part(record: Record, name: str) -> tuple[Member, Format]:
    """The part of the job's file that `name` names. Raises `NotFound`.

    `name` is a file name, which is unique in the job, or an output's name; then the first output
    with it is meant.
    """
    outputs = (record.facts or {}).get(OUTPUTS, [])
    places = members((told["fileName"], told["size"]) for told in outputs)
    found = list(zip(outputs, places, strict=True))
    for key in ("fileName", "name"):
        for told, member in found:
            format_ = FORMATS.get(told["format"])
            if name == told[key] and format_ is not None:
                return member, format_
    raise NotFound("The job has no file of that name.")


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) // 3 * 3
        rest = data[whole:]
        yield base64.b64encode(data[:whole])
    yield base64.b64encode(rest)


def _idempotency_key(req: falcon.Request) -> str | None:
    key = req.get_header("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        text = "must be 1 to 255 visible ASCII characters"
        raise InvalidRequest.of(Problem("Idempotency-Key", text))
    return key


def _parse_query(req: falcon.Request) -> tuple[float, bool]:
    """The query's `wait` in seconds, and `image`. Raises `InvalidRequest`."""
    params: dict[str, Any] = dict(req.params)
    problems = []
    wait = params.pop("wait", "0")
    if not (isinstance(wait, str) and _SECONDS.fullmatch(wait) and float(wait) <= _MAX_WAIT_S):
        problems.append(Problem("wait", f"must be a number from 0 to {_MAX_WAIT_S} (seconds)"))
    image = params.pop("image", "false")
    if image not in ("true", "false"):
        problems.append(Problem("image", "must be true or false"))
    problems += [Problem(name, "unknown parameter") for name in params]
    if problems:
        raise InvalidRequest(f"{problems[0].field}: {problems[0].problem}.", problems)
    return float(wait), image == "true"
