"""docs/openapi.json: complete, and kept by the application, whatever it is asked."""

import copy
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon
import falcon.inspect
import falcon.testing
import pytest
import redis
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import ValidationError
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from farm import errors, links
from farm.errors import FarmError, RenderTimeout
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records
from farm.render import Engine
from farm.request import Limits, RenderRequest
from farm.request.group import CONFLICTS
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from farm.web.forms import parse_form
from farm.webhooks import Target
from tests.conftest import MakeApp, request_for, running
from tests.support.site import Site
from tests.web.jobs import complete

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "openapi.json").read_text()
)
DEADLINE_MS = 500
#: What a valid request may be answered with besides a success.
FATES = {401, 403, 404, 406, 409, 410, 416, 422, 429, 503, 504}
CONFIG = {
    "generation": {"mode": "all", "deterministic": True, "database": "none"},
    # Methods that the document does not have are tried too, one after the other.
    "phases": {"coverage": {"enabled": True}, "fuzzing": {"enabled": True}},
}
#: Stand for jobs in each of the states, two that wait, and one that never was.
PLACES = [str(uuid.UUID(int=number, version=4)) for number in range(7)]
LINK_KEY = "0123456789abcdef" * 2
#: Stands for the signature that a payload should have; and one that none has.
SIGNED, UNSIGNED = "S" * 43, "U" * 43
PAYLOADS = [
    links.pack(fields)
    for fields in (
        {"html": "<p>x"},
        {"html": "<p>x", "exp": 1},
        {"html": "<p>x", "options": {"width": 16_384, "height": 16_384}},
        {"url": "https://example.com/", "options": {"format": "pdf"}},
    )
]


#: The request that is tried with every option. The others have the same model of options.
WITH_ALL_OPTIONS = "HtmlRequest"
FEW_OPTIONS = ("width", "format")


def narrowed(whole: bool) -> dict[str, Any]:
    """The document, without what would take long to ask.

    `whole`: every request has every option, which makes sixteen thousand requests instead of two.
    """
    document = copy.deepcopy(DOCUMENT)
    if not whole:
        _narrow_options(document["components"]["schemas"])
    components = document["components"]
    components["schemas"]["RenderOptions"]["properties"]["waitFor"]["maximum"] = DEADLINE_MS
    for path in ("/render", "/render-async"):
        form = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
        # Werkzeug, which writes the requests here, writes empty files in a way of its own.
        form["schema"]["properties"]["files"]["items"]["minLength"] = 1
        # What its JSON may have is tested as a body, and takes long.
        form["schema"]["oneOf"] = form["schema"]["oneOf"][:2]
    for name in ("FileRequest", "FileJobRequest"):
        beside = components["schemas"][name]
        beside["properties"] = {name: beside["properties"][name] for name in ("report", "cache")}
    # What a link may ask for is what a render may, which is asked for there.
    for source in ("html", "markdown", "url"):
        link = components["schemas"][f"{source.capitalize()}LinkRequest"]
        link["properties"] = {name: link["properties"][name] for name in (source, "exp")}
    # A random id is no job's, and so would only ever be answered with 404.
    components["parameters"]["JobId"]["schema"] = {"enum": PLACES}
    # Nor would it be anybody's signature.
    components["parameters"]["Signature"]["schema"] = {"enum": [SIGNED, UNSIGNED]}
    components["parameters"]["Payload"]["schema"] = {"enum": PAYLOADS}
    return document


def _narrow_options(schemas: dict[str, Any]) -> None:
    # Every name is tried in tests/request/test_emulation.py.
    del schemas["RenderOptions"]["properties"]["device"]["examples"][2:]
    for name in ("RenderOptions", "Output"):
        few = copy.deepcopy(schemas[name])
        few["properties"] = {
            option: schema
            for option, schema in few["properties"].items()
            if option in FEW_OPTIONS or option in few.get("required", ())
        }
        schemas[f"Few{name}"] = few
    for name, schema in schemas.items():
        if not name.endswith("Request") or "outputs" not in schema["properties"]:
            continue
        schema["properties"]["outputs"]["items"] = {"$ref": "#/components/schemas/FewOutput"}
        if name != WITH_ALL_OPTIONS:
            schema["properties"]["options"] = {"$ref": "#/components/schemas/FewRenderOptions"}


#: These take longer than all others; requests of the first have every option.
LONG = ("/render", "/render-url", "/render-async")
PATHS = [
    pytest.param(path, marks=[pytest.mark.dedicated] if path in LONG else [])
    for path in DOCUMENT["paths"]
]


@pytest.fixture(params=PATHS)
def of_a_path(request: pytest.FixtureRequest) -> BaseSchema:
    """The schema of one path.

    Its cases are made when its test runs. Each of pytest-xdist's processes collects all tests, and
    to make all cases takes longer than that.
    """
    return schema_of(request.param, request.config.getoption("whole_schema"))


def schema_of(path: str, whole: bool = False) -> BaseSchema:
    document = narrowed(whole)
    document["paths"] = {path: document["paths"][path]}
    return schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(CONFIG))


@pytest.fixture
def job_ids(
    redis_client: redis.Redis, jobs: RedisJobQueue, storage: ObjectStorage, engine: Engine
) -> dict[str, str]:
    """The jobs that `PLACES` stand for."""
    told = [Target("https://example.com/")]
    ids = [jobs.submit(request_for(engine, "x"), "id", targets=told) for _ in range(6)]
    records = Records(redis_client, 3600)
    records.start(ids[0])
    complete(records, storage, ids[1])
    records.fail(ids[2], RenderTimeout())
    records.cancel(ids[3])
    return dict(zip(PLACES, ids, strict=False))


@pytest.fixture(scope="module")
def offline_engine() -> Iterator[Engine]:
    """Its pages reach nothing."""
    settings = Settings(egress="none", render_deadline_s=DEADLINE_MS / 1000, max_pixels=1_000_000)
    with running(settings) as engine:
        yield engine


@pytest.fixture
def app(
    offline_engine: Engine,
    redis_client: redis.Redis,
    storage: ObjectStorage,
    job_ids: dict[str, str],
) -> Iterator[falcon.App[falcon.Request, falcon.Response]]:
    """An application whose requests wait for nothing."""
    settings = Settings(max_long_polls=0, link_key=LINK_KEY)
    queue = RedisJobQueue(redis_client, storage, settings)
    yield create_app(offline_engine, queue, storage, settings)
    queue.close()


@schemathesis.pytest.from_fixture("of_a_path").parametrize()
@pytest.mark.timeout(600)
@hypothesis_settings(
    max_examples=15,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_the_answer_is_as_documented(
    case: schemathesis.Case[Any],
    app: falcon.App[falcon.Request, falcon.Response],
    job_ids: dict[str, str],
) -> None:
    if (place := case.path_parameters.get("jobId")) in PLACES:
        case.path_parameters["jobId"] = job_ids.get(place, place)
    if case.path_parameters.get("signature") == SIGNED:
        payload = str(case.path_parameters["payload"])
        case.path_parameters["signature"] = links.sign(payload, LINK_KEY)
    case.call_and_validate(
        app=app,
        checks=[
            no_defect,
            errors_have_one_shape,
            valid_data_is_not_called_invalid,
            invalid_data_is_rejected,
            unsupported_method,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
        ],
    )


def test_a_report_is_as_documented(client: falcon.testing.TestClient, site: Site) -> None:
    """Of a page that has something for each of its lists."""
    site.pages = {
        "/start": "<title>x</title><p>\u0378<img src=/none.svg><img src=http://10.9.8.7/>"
        "<script>console.log(1); console.warn(2); throw Error(3)</script>"
    }
    operation = schema_of("/render-url")["/render-url"]["POST"]
    case = operation.Case(
        body={"url": f"{site.url}/redirect?to=/start", "report": True},
        media_type="application/json",
    )
    for _ in range(10):  # a busy machine may cut the search for fonts short
        response = case.call_and_validate(app=client.app, checks=[response_schema_conformance])
        report = json.loads(response.content)["data"]["report"]
        if "fontsAreIncomplete" not in report:
            break
    assert all(report["requests"].values())
    assert [name for name, value in report.items() if not value] == []


def no_defect(ctx: CheckContext, response: Response, case: schemathesis.Case[Any]) -> None:
    # 500 is documented, so that clients know its shape; here it is a failure all the same.
    assert response.status_code < 500 or response.status_code in (503, 504)


def errors_have_one_shape(
    ctx: CheckContext, response: Response, case: schemathesis.Case[Any]
) -> None:
    """Also of answers that no route documents, such as 405, but not of those without a body."""
    assert response.headers["x-request-id"]
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    assert response.headers["content-type"] == ["application/json"]
    body = json.loads(response.content)
    assert {"success", "error", "code", "requestId"} <= set(body)
    assert set(body) <= {"success", "error", "code", "requestId", "details"}
    assert body["success"] is False
    assert body["error"].endswith(".")
    assert (response.status_code, body["code"]) in {(e.status, e.code) for e in farm_errors()}
    uuid.UUID(body["requestId"], version=4)


def valid_data_is_not_called_invalid(
    ctx: CheckContext, response: Response, case: schemathesis.Case[Any]
) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code == 400:
        # What no schema says: that 1e1 is no integer, 1e-9 no number of seconds, what the farm's
        # own validators look for (options that make no sense together), and what only the browser
        # knows (what is a selector).
        body = json.loads(response.content)
        is_about_wait = body["error"].startswith("wait: ")
        assert is_about_wait or (body["details"] and is_right_by_type(json_of(response.request)))
    elif case.method.lower() in DOCUMENT["paths"][case.operation.path]:
        assert response.status_code < 400 or response.status_code in FATES


def json_of(request: requests.PreparedRequest) -> Any:
    """The request in a body of either type."""
    content_type = request.headers["Content-Type"]
    if content_type == falcon.MEDIA_JSON:
        return request.body
    assert isinstance(request.body, bytes)
    return parse_form(request.body, content_type).text("request") or "{}"


def invalid_data_is_rejected(
    ctx: CheckContext, response: Response, case: schemathesis.Case[Any]
) -> None:
    # In a form all is text: what is no text in the data is some text in the body.
    if case.media_type != "multipart/form-data":
        negative_data_rejection(ctx, response, case)


def is_right_by_type(body: Any) -> bool:
    """Whether nothing but the farm's own validators finds something wrong with a request."""
    limits = Limits(DEADLINE_MS, 1_000_000)
    try:
        fields = json.loads(body, parse_float=whole)
        fields.pop("exp", None)  # a link's
        RenderRequest.model_validate(fields, context=limits)
    except ValidationError as exc:
        own = ("problem", CONFLICTS, "invalid_url")
        return all(error["type"] in own for error in exc.errors())
    return True


def whole(number: str) -> float:
    """A number as JSON Schema has it, to which 1e1 is an integer."""
    value = float(number)
    return int(value) if value.is_integer() else value


def test_every_route_and_method_is_documented_and_no_other(
    engine: Engine, make_app: MakeApp
) -> None:
    documented = {
        (path, method.upper())
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    # Other services' routes are described by these services, and pages are no part of an API.
    app = make_app(engine, Settings(compat=(), playground="off", link_key=LINK_KEY))
    assert documented == set(routes(app))


def routes(app: falcon.App[falcon.Request, falcon.Response]) -> Iterator[tuple[str, str]]:
    # Falcon's own command `falcon-inspect-app` reads the router likewise.
    for route in falcon.inspect.inspect_routes(app):
        for method in route.methods:
            # Falcon answers OPTIONS everywhere by itself; `internal` tells what is its own.
            if not method.internal:
                yield route.path.replace("{job_id}", "{jobId}"), method.method


def test_every_error_is_documented_and_no_other() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    codes = schemas["ErrorCode"]["enum"]
    assert sorted(codes) == sorted({error.code for error in farm_errors()})


def test_every_error_is_some_routes_answer_with_its_status() -> None:
    answered = {
        (int(status), code)
        for status, response in error_responses()
        for code in response["content"]["application/json"]["schema"]["allOf"][1]["properties"][
            "code"
        ]["enum"]
    }
    # An unknown method has no entry of its own, nor have other services' routes.
    missing = {(e.status, e.code) for e in farm_errors()} - answered
    assert missing == {(405, "method_not_allowed"), (501, "not_supported")}
    assert answered <= {(e.status, e.code) for e in farm_errors()}


def error_responses() -> Iterator[tuple[str, dict[str, Any]]]:
    for item in DOCUMENT["paths"].values():
        for method, operation in item.items():
            if method == "parameters":
                continue
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    name = response["$ref"].rpartition("/")[2]
                    yield status, DOCUMENT["components"]["responses"][name]


def farm_errors() -> list[type[FarmError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, FarmError) and hasattr(value, "code")
    ]
