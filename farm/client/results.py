"""The results of a client's calls: a render, or a job."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self, cast

from farm import bundle
from farm.client.answers import JsonAnswer
from farm.client.errors import error_by_code
from farm.client.fields import Report
from farm.errors import FarmError
from farm.formats import FORMATS, ZIP

State = Literal["pending", "processing", "completed", "failed", "cancelled"]


@dataclass(frozen=True)
class Render:
    """A rendered file, and the facts about it.

    If there are several files (`outputs`), `data` is a ZIP of them all, and width and height are
    those of the first. A fact that does not apply is None or empty.
    """

    format: str
    content_type: str
    #: Width and height in pixels. For a PDF, HTML or MHTML they are the viewport's.
    width: int
    height: int
    request_id: str
    #: `url` to `title`: facts about the captured document.
    url: str | None = None
    final_url: str | None = None
    status: int | None = None
    title: str | None = None
    #: The number of a PDF's pages.
    pages: int | None = None
    #: The option that was still waited for when the time was over, with `on_timeout="capture"`.
    timed_out: str | None = None
    #: `host` and `reason` of each request that the egress policy refused.
    blocked: tuple[Mapping[str, str], ...] = ()
    #: The URLs that the page still waited for when it was captured.
    unfinished: tuple[str, ...] = ()
    #: `count` and `urls` of the requests that the option `block` kept from being sent.
    blocked_requests: Mapping[str, Any] | None = None
    #: The report, with `report=True`.
    report: Report | None = None
    #: Milliseconds of the steps `wait`, `load`, `settle` and `capture`. Empty for a job.
    timings: Mapping[str, float] = field(default_factory=dict)
    #: `hit`, `miss`, `joined` or `off`; None if the request did not use the cache.
    cache: str | None = None
    #: Seconds since a file from the cache was rendered.
    age_s: int = 0
    #: The name of one of several files, without and with the format's suffix.
    name: str | None = None
    file_name: str | None = None
    outputs: "tuple[Render, ...]" = ()
    _file: bytes = field(default=b"", repr=False)

    @cached_property
    def data(self) -> bytes:
        """The file."""
        if self.outputs:
            return bundle.pack((str(each.file_name), each.data) for each in self.outputs)
        return self._file

    @property
    def size(self) -> int:
        """The size of `data` in bytes."""
        return len(self.data)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the file, and return its path. Raises `OSError`."""
        target = Path(path)
        target.write_bytes(self.data)
        return target

    @classmethod
    def of_answer(cls, answer: JsonAnswer, headers: Mapping[str, str]) -> Self:
        """The render in a farm's answer. Raises `KeyError` if the answer lacks a required field."""
        data = answer.data["data"]
        outputs = data.get("outputs", ())
        age = headers.get("Age", "")
        facts = _facts(data) | {
            "status": data.get("status"),
            "timings": _timings(headers.get("Server-Timing", "")),
            "cache": headers.get("X-Farm-Cache"),
            "age_s": int(age) if age.isdecimal() else 0,
        }
        if not outputs:
            return cls(**_described(data), **facts, _file=answer.files[0])
        return cls._of_several(
            (
                cls(**_described(told), _file=file)
                for told, file in zip(outputs, answer.files, strict=True)
            ),
            facts | {"request_id": data["requestId"]},
        )

    @classmethod
    def of_job(cls, job: "Job", content_type: str, file: bytes) -> Self:
        """The render of a completed job. `file`: its downloaded file."""
        record = job.record
        facts = _facts(record) | {"status": record.get("httpStatus")}
        outputs = record.get("outputs", ())
        if not outputs:
            told = {**record, "contentType": content_type}
            return cls(**_described(told), **facts, _file=file)
        places = bundle.members((told["fileName"], told["size"]) for told in outputs)
        shared = {"request_id": record["requestId"]}
        return cls._of_several(
            (
                cls(**_described({**told, "requestId": record["requestId"]}), _file=place.of(file))
                for told, place in zip(outputs, places, strict=True)
            ),
            facts | shared,
        )

    @classmethod
    def _of_several(cls, renders: "Iterable[Render]", facts: dict[str, Any]) -> Self:
        files = tuple(renders)
        return cls(
            format=ZIP.name,
            content_type=ZIP.media_type,
            width=files[0].width,
            height=files[0].height,
            outputs=files,
            **facts,
        )


@dataclass(frozen=True)
class Job:
    """The state of a job at the time of the request."""

    id: str
    status: State
    #: The whole answer, by its names in JSON. Empty for a job that was just submitted.
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ended(self) -> bool:
        return self.status not in ("pending", "processing")

    @property
    def position(self) -> int | None:
        """The place of a waiting job in the queue: 1 for the next job."""
        return self.record.get("position")

    @property
    def error(self) -> FarmError | None:
        """Why the job has failed; None if it has not."""
        if self.status != "failed":
            return None
        told = self.record
        error = error_by_code(told["error"], told["code"], details=told.get("details"))
        error.request_id = told.get("requestId")
        return error

    @classmethod
    def of_record(cls, job_id: str, record: Mapping[str, Any]) -> Self:
        """The job in an answer. Raises `KeyError` if the answer is not a job's record."""
        return cls(job_id, cast(State, record["status"]), record)


def _described(told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that each file has. Raises `KeyError`."""
    format_ = FORMATS.get(told["format"])
    return {
        "format": told["format"],
        "content_type": told.get("contentType") or (format_.media_type if format_ else ""),
        "width": told["width"],
        "height": told["height"],
        "request_id": told["requestId"],
        "pages": told.get("pages"),
        "name": told.get("name"),
        "file_name": told.get("fileName"),
    }


def _facts(told: Mapping[str, Any]) -> dict[str, Any]:
    """The facts about the document."""
    return {
        "url": told.get("url"),
        "final_url": told.get("finalUrl"),
        "title": told.get("title"),
        "timed_out": told.get("timedOut"),
        "blocked": tuple(told.get("blocked", ())),
        "unfinished": tuple(told.get("unfinished", ())),
        "blocked_requests": told.get("blockedRequests"),
        "report": told.get("report"),
    }


def _timings(text: str) -> dict[str, float]:
    """The timings in a `Server-Timing` header. Entries that other servers add are ignored."""
    timings = {}
    for entry in text.split(","):
        name, _, duration = entry.strip().partition(";dur=")
        if duration.replace(".", "", 1).isdecimal():
            timings[name] = float(duration)
    return timings
