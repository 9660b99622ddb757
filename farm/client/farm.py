"""`Farm`: a client of a running farm. Applications and `farm render --farm` use it."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, Unpack
from urllib.parse import quote, urlsplit

from farm import clock
from farm.client.answers import read_bytes, read_json
from farm.client.errors import DeadlinePassed, NotAFarm
from farm.client.fields import JobFields, LinkFields, RenderFields
from farm.client.names import as_request, unknown_names
from farm.client.results import Job, Render
from farm.client.transport import Transport
from farm.errors import AlreadyFinished, InvalidRequest, InvalidUrl, Problem
from farm.links import LinkError, make_link

#: How long the farm lets a request wait for a job's end.
_MAX_LONG_POLL_S = 30
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Farm:
    """A client of a running farm. Threads may share one.

    ::

        from farm.client import Farm

        with Farm("http://127.0.0.1:3000") as farm:
            farm.render(html="<h1>Hello</h1>", full_page=True).save("hello.png")

    Methods raise a `FarmError`: one of `farm.errors`, with which the farm has answered, or one of
    `farm.client`. A request that the farm refuses because of its load (503, 429) is sent again
    after the time that the farm names. A request is also sent again if the farm cannot be reached.
    So a page may be rendered twice.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:3000",
        key: str | None = None,
        *,
        deadline_s: float = 60,
        connect_s: float = 10,
        link_key: str | None = None,
    ) -> None:
        """`key`: an API key, if the farm has keys. `link_key`: the key that signs links.

        `deadline_s`: the longest that a call takes with all its tries. By default a farm gives a
        render 30 s. `connect_s`: for how long a farm that cannot be reached is tried again. Raises
        `InvalidUrl` or `InvalidRequest`.
        """
        _check(url, key)
        self.url = url.rstrip("/")
        self._link_key = link_key
        self._deadline_s = deadline_s
        self._transport = Transport(self.url, key, deadline_s, connect_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def render(self, **fields: Unpack[RenderFields]) -> Render:
        """Render `html`, `markdown` or a `url`. docs/options.md describes all options.

        Names are those of the API in snake_case. Options are arguments like all other fields:
        `full_page=True`, `pdf={"prefer_css_page_size": False}`.
        """
        return self.post(as_request(fields))

    def post(self, fields: Mapping[str, Any]) -> Render:
        """Render a request in its JSON form: names in camelCase, options in `options`."""
        path = "/render" if fields.get("url") is None else "/render-url"
        return self._transport.send(
            "POST", path, _read_render, body=_as_json(fields), headers=_JSON
        )

    def submit(self, *, idempotency_key: str | None = None, **fields: Unpack[JobFields]) -> Job:
        """Queue a render as a job. The farm accepts it once, even if it is sent several times.

        `idempotency_key`: another call with the same key and the same request returns the same job.
        """
        key = idempotency_key or str(uuid.uuid4())
        if not _VISIBLE.fullmatch(key):
            raise InvalidRequest("An idempotency key has visible ASCII characters only.")
        return self._transport.send(
            "POST",
            "/render-async",
            _read_submitted,
            body=_as_json(as_request(fields)),
            headers={**_JSON, "Idempotency-Key": key},
        )

    def job(self, job: Job | str) -> Job:
        """The job's present state. Raises `NotFound`, also if the job has expired."""
        return self._ask(_id(job), 0)

    def wait(self, job: Job | str, timeout_s: float = 300) -> Job:
        """Wait until the job has completed, failed or been cancelled, and return it.

        Raises `DeadlinePassed` after `timeout_s`; the job then continues.
        """
        until = time.monotonic() + timeout_s
        while True:
            asked = time.monotonic()
            left_s = until - asked
            found = self._ask(_id(job), min(max(left_s, 0), _MAX_LONG_POLL_S))
            if found.ended:
                return found
            if time.monotonic() >= until:
                raise DeadlinePassed(f"The job {found.id} has not ended within {timeout_s:g} s.")
            # A farm with too many waiting requests answers at once.
            time.sleep(max(0.0, min(asked + 1, until) - time.monotonic()))

    def download(self, job: Job | str) -> Render:
        """The file of a completed job.

        Raises `NotReady` for a job that has not ended, and the job's own error if it has failed.
        """
        if isinstance(job, str) or not job.ended:
            job = self.job(job)
        if job.error is not None:
            raise job.error
        path = f"/download/{quote(job.id, safe='')}"
        content_type, file = self._transport.send("GET", path, read_bytes)
        return Render.of_job(job, content_type, file)

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job. Raises `AlreadyFinished` if it has completed or failed."""
        job_id = _id(job)
        try:
            return self._transport.send("DELETE", _path(job_id), partial(_read_job, job_id))
        except AlreadyFinished:
            # An earlier try may have cancelled the job, and its answer was lost.
            found = self.job(job_id)
            if found.status != "cancelled":
                raise
            return found

    def link(
        self,
        *,
        expires: datetime | timedelta | None = None,
        base: str | None = None,
        **fields: Unpack[LinkFields],
    ) -> str:
        """A signed link to a render. It is made without a request to the farm.

        `expires`: when the link expires, or after how long. `base`: the farm's URL in the link, if
        it differs from the client's. Raises `InvalidRequest`.
        """
        if self._link_key is None:
            raise InvalidRequest("Links need the farm's link key: Farm(url, link_key=…).")
        if unknown := unknown_names(fields, LinkFields):
            problems = [Problem(name, "is nothing that a link may ask for") for name in unknown]
            raise InvalidRequest(f"{problems[0].field} {problems[0].problem}.", problems)
        try:
            return make_link(
                as_request(fields),
                self._link_key,
                base=self.url if base is None else base,
                expires_at=_expiry(expires),
            )
        except LinkError as exc:
            raise InvalidRequest(str(exc)) from exc

    def _ask(self, job_id: str, wait_s: float) -> Job:
        query = f"?wait={wait_s:.3f}" if wait_s else ""
        return self._transport.send(
            "GET",
            _path(job_id) + query,
            partial(_read_job, job_id),
            deadline_s=self._deadline_s + wait_s,
        )


_JSON = {"Content-Type": "application/json"}


def _check(url: str, key: str | None) -> None:
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or parts.query or parts.fragment:
        raise InvalidUrl("The farm's URL must be like http://127.0.0.1:3000.")
    if "@" in parts.netloc:
        raise InvalidUrl("The farm's URL must have no user name in it; give the key as key=….")
    if key is not None and not _VISIBLE.fullmatch(key):
        raise InvalidRequest("An API key has visible ASCII characters only.")


def _as_json(fields: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # A text has half of a surrogate pair. The farm's answer names the field.
        return json.dumps(fields).encode()
    except (TypeError, ValueError) as exc:
        raise InvalidRequest("A field has a value that cannot be written as JSON.") from exc


def _expiry(expires: datetime | timedelta | None) -> int | None:
    """The expiry in seconds since 1970."""
    if isinstance(expires, datetime):
        return int(expires.timestamp())
    return None if expires is None else clock.seconds() + int(expires.total_seconds())


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def _path(job_id: str) -> str:
    return f"/render-async/{quote(job_id, safe='')}"


def _read_render(headers: Mapping[str, str], pieces: Iterator[bytes]) -> Render:
    answer = read_json(headers, pieces)
    try:
        return Render.of_answer(answer, headers)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as exc:
        raise NotAFarm from exc


def _read_submitted(headers: Mapping[str, str], pieces: Iterator[bytes]) -> Job:
    told = read_json(headers, pieces).data
    try:
        return Job(str(told["jobId"]), "pending")
    except KeyError as exc:
        raise NotAFarm from exc


def _read_job(job_id: str, headers: Mapping[str, str], pieces: Iterator[bytes]) -> Job:
    record = read_json(headers, pieces).data
    try:
        return Job.of_record(job_id, record)
    except KeyError as exc:
        raise NotAFarm from exc
