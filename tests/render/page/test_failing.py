"""What a request calls a failure of its page."""

from collections.abc import Iterator
from typing import Any

import pytest

from farm.errors import PageFailed, Problem
from farm.render import Engine
from tests.conftest import request_for
from tests.support.site import Site, running_site


@pytest.fixture
def other() -> Iterator[Site]:
    """Of another site, so that another process draws its frames."""
    with running_site("127.0.0.2") as running:
        yield running


def failures(engine: Engine, url: str, **fail_on: Any) -> tuple[Problem, ...]:
    click = {"click": fail_on.pop("click")} if "click" in fail_on else {}
    with pytest.raises(PageFailed) as caught:
        engine.render(request_for(engine, url=url, failOn=fail_on, **click))
    assert caught.value.problems[0].problem in str(caught.value)
    return caught.value.problems


def passes(engine: Engine, url: str, **fail_on: Any) -> None:
    assert engine.render(request_for(engine, url=url, failOn=fail_on)).size


@pytest.mark.parametrize("status", [404, "4xx"])
def test_a_status_of_the_document_may_be_a_failure(
    engine: Engine, site: Site, status: object
) -> None:
    found = failures(engine, site.url + "/missing", status=[500, status])
    assert found == (Problem("options.failOn.status", "the page was answered with 404"),)
    passes(engine, site.url + "/missing", status=["5xx", 403], resourceStatus=["4xx"])
    passes(engine, site.url + "/", status=["4xx", "5xx"])


def test_a_document_that_failed_is_not_waited_for(engine: Engine, site: Site) -> None:
    request = request_for(
        engine,
        url=site.url + "/missing",
        failOn={"status": [404]},
        waitForSelector="#never",
    )
    with pytest.raises(PageFailed):
        engine.render(request)


def test_what_has_failed_is_told_where_the_time_has_passed(engine: Engine, site: Site) -> None:
    site.pages["/page"] = "<img src=/none.svg>"
    request = request_for(
        engine,
        url=site.url + "/page",
        failOn={"resourceStatus": ["4xx"]},
        waitForSelector="#never",
        timeout=2000,
    )
    with pytest.raises(PageFailed):
        engine.render(request)


def test_statuses_of_resources_are_told_of_frames_and_workers_too(
    engine: Engine, site: Site, other: Site
) -> None:
    other.pages["/frame"] = "<img src=/in-frame.png>"
    site.pages["/page"] = (
        f"<img src=/in-page.png><iframe src={other.url}/frame></iframe>"
        "<script>new Worker('/worker.js?to=/in-worker')</script>"
    )
    found = failures(engine, site.url + "/page", resourceStatus=["4xx"])
    assert {problem.problem for problem in found} == {
        f"{site.url}/in-page.png was answered with 404",
        f"{other.url}/in-frame.png was answered with 404",
        f"{site.url}/in-worker was answered with 404",
    }
    passes(engine, site.url + "/page", resourceStatus=["5xx"], status=["4xx"], resourceError=True)


def test_at_most_twenty_failures_are_reported_each_once(engine: Engine, site: Site) -> None:
    images = "".join(f"<img src=/none-{n}.png><img src=/none-{n}.png>" for n in range(30))
    site.pages["/page"] = images
    found = failures(engine, site.url + "/page", resourceStatus=[404])
    assert len(set(found)) == len(found) == 20


def test_resources_that_got_no_answer_are_told_of_frames_too(
    engine: Engine, site: Site, other: Site
) -> None:
    other.pages["/frame"] = "<img src=/hang-up>"
    site.pages["/page"] = (
        f"<img src=http://10.0.0.1/refused.png><iframe src={other.url}/frame></iframe>"
    )
    found = {
        problem.problem for problem in failures(engine, site.url + "/page", resourceError=True)
    }
    assert {text.partition(" ")[0] for text in found} == {
        "http://10.0.0.1/refused.png",
        f"{other.url}/hang-up",
    }


def test_requests_that_the_page_cancels_are_no_failure(engine: Engine, site: Site) -> None:
    site.pages["/page"] = (
        "<script>const control = new AbortController();"
        "fetch('/slow', control).catch(() => {}); setTimeout(() => control.abort(), 50)</script>"
    )
    passes(engine, site.url + "/page", resourceError=True, pageError=True)


def test_what_the_page_lacked_before_it_went_elsewhere_is_no_failure(
    engine: Engine, site: Site
) -> None:
    site.pages["/page"] = (
        "<img src=/none.png><script>onload = () => { location = '/'; throw 1 }</script>"
    )
    passes(engine, site.url + "/page", resourceStatus=[404], pageError=True)


def test_errors_of_scripts_are_told_of_frames_and_workers_too(
    engine: Engine, site: Site, other: Site
) -> None:
    other.pages["/frame"] = "<script>throw new Error('in the frame')</script>"
    site.pages["/page"] = f"""<iframe src={other.url}/frame></iframe><script>
        new Worker(URL.createObjectURL(new Blob(['throw new Error("in the worker")'])));
        Promise.reject(new TypeError('not caught'));
        try {{ throw 1 }} catch {{}}
        none.such
    </script>"""
    found = {problem.problem for problem in failures(engine, site.url + "/page", pageError=True)}
    assert {
        "a script threw Error: in the frame",
        "a script threw TypeError: not caught",
        "a script threw ReferenceError: none is not defined",
    } <= found
    assert any("in the worker" in text for text in found)
    passes(engine, site.url + "/page", resourceError=True)


def test_nothing_to_be_clicked_may_be_a_failure(engine: Engine, site: Site) -> None:
    found = failures(engine, site.url + "/", missingSelector=True, click=["body", "#none"])
    assert found == (
        Problem(
            "options.failOn.missingSelector", "options.click.1 matched nothing to be clicked: #none"
        ),
    )
