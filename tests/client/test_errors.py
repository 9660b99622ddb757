"""A farm's error is raised as the class that has its code."""

import json

import pytest

from farm import errors
from farm.client.errors import NotAFarm, UnknownError, error_by_code, error_of, retry_after_s
from farm.errors import FarmError, InvalidRequest, Problem, RateLimited, Unavailable, WithProblems

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, FarmError) and "code" in vars(value)
]
HEADERS = {"Retry-After": "7", "Allow": "GET, HEAD", "Content-Range": "bytes */12"}
DETAILS = [{"field": "options.width", "problem": "must be an integer"}]


@pytest.mark.parametrize("kind", CLASSES)
def test_each_code_is_its_class(kind: type[FarmError]) -> None:
    told = {"error": kind.sentence, "code": kind.code, "requestId": "r1", "details": DETAILS}
    error = error_of(kind.status, HEADERS, json.dumps(told).encode())
    assert type(error) is kind
    assert (str(error), error.status, error.request_id) == (kind.sentence, kind.status, "r1")
    if isinstance(error, WithProblems):
        assert error.details == DETAILS
    if isinstance(error, Unavailable | RateLimited):
        assert error.retry_after_s == 7


def test_an_unknown_code_has_its_sentence_and_problems_too() -> None:
    told = {"error": "The moon is full.", "code": "full_moon", "details": DETAILS}
    error = error_of(418, {"X-Request-Id": "r2"}, json.dumps(told).encode())
    assert isinstance(error, UnknownError)
    assert (str(error), error.status, error.code) == ("The moon is full.", 418, "full_moon")
    assert error.problems == (Problem("options.width", "must be an integer"),)
    assert error.request_id == "r2"


@pytest.mark.parametrize("body", [b"<h1>502 Bad Gateway</h1>", b"", b"[]", b'{"error": "x"}'])
def test_an_error_of_another_program_is_told(body: bytes) -> None:
    error = error_of(502, {"Content-Type": "text/html; charset=utf-8"}, body)
    assert isinstance(error, NotAFarm)
    assert error.status == 502
    assert str(error).startswith("The answer (502, text/html) does not come from a farm")


def test_a_redirect_is_told_with_its_address() -> None:
    error = error_of(301, {"Location": "https://farm.example/"}, b"")
    assert str(error).endswith("redirects (301) to https://farm.example/; use that address.")


def test_details_that_are_no_problems_are_passed_over() -> None:
    error = error_by_code("It is wrong.", "invalid_request", details=["x", {"field": "html"}])
    assert isinstance(error, InvalidRequest)
    assert error.problems == (Problem("html", ""),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("9" * 400, 31_536_000),
        ("9" * 5_000, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2399 07:28:00 GMT", 31_536_000),
        ("-5", None),
        ("1.5", None),
        ("\xb2", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: int | None) -> None:
    assert retry_after_s({"Retry-After": text}) == seconds
