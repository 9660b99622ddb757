"""gotenberg's own features, run against the farm.

::

    python -m tests.web.compat.features /path/to/gotenberg [chromium_convert_html …]

Each scenario is told as one line: passed, or the first step that did not hold. Lines of gotenberg's
log are not looked for. What a scenario sets of gotenberg's own is the farm's setting of the same
meaning, where there is one; else the scenario is not run.
"""

import fnmatch
import io
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import requests

from tests.support.farm_process import Farm, running_farm, wait_until
from tests.support.quiet import QuietServer, serving
from tests.support.site import SITES
from tests.web.compat.gherkin import Scenario, Step, scenarios

FEATURES = (
    *("chromium_concurrent", "chromium_convert_html", "chromium_convert_markdown"),
    *("chromium_convert_url", "chromium_screenshot_html", "chromium_screenshot_markdown"),
    *("chromium_screenshot_url", "health", "root", "version"),
)
_HOST = "host.docker.internal"
#: What stands for a farm that allows no more than any, and for one with a key.
_STRICT, _KEYED, _PLAIN = "strict", "keyed", "plain"
_SETTINGS: dict[str, dict[str, object]] = {
    _PLAIN: {"egress_allow": SITES},
    _STRICT: {},
    _KEYED: {"egress_allow": SITES, "api_keys": "foo:a-key-of-twenty-characters"},
}
#: gotenberg's own settings, and the farm that has them.
_FARMS = {
    **dict.fromkeys(("API_ENABLE_BASIC_AUTH", "API_ENABLE_OIDC_AUTH"), _KEYED),
    "CHROMIUM_DENY_PRIVATE_IPS": _STRICT,
    **dict.fromkeys(
        (
            *("API_DISABLE_HEALTH_CHECK_ROUTE_TELEMETRY", "API_DISABLE_ROOT_ROUTE_TELEMETRY"),
            *("API_DISABLE_VERSION_ROUTE_TELEMETRY", "CHROMIUM_CLEAR_STORAGE"),
            *("CHROMIUM_MAX_CONCURRENCY", "CHROMIUM_RESTART_AFTER"),
        ),
        _PLAIN,
    ),
}
#: Theirs too, but without a meaning of their own.
_BESIDE = (
    *("CHROMIUM_ALLOW_LIST", "GOTENBERG_API_BASIC_AUTH_USERNAME"),
    *("GOTENBERG_API_BASIC_AUTH_PASSWORD", "API_OIDC_ISSUER", "API_OIDC_AUDIENCE"),
    "API_OIDC_JWKS_URL",
)


class NotHere(Exception):
    """The scenario is about what the farm has not."""


@dataclass
class Received:
    """What the static server, or the webhook's, has been sent last."""

    headers: Message
    body: bytes


class Server:
    """Serves the test data, and takes webhooks."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.last: Received | None = None
        self.webhook: Received | None = None
        self.event: Received | None = None
        self.port = 0


@contextmanager
def running_server(data: Path) -> Iterator[Server]:
    server = Server(data)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, path = self.path.removeprefix("/").partition("/")
            file = data.parent / path
            if kind == "redirect-to-private":
                server.last = Received(self.headers, b"")
                self._send(302, "text/plain", b"", {"Location": "http://127.0.0.1:9999/redirected"})
            elif kind in ("static", "html") and file.is_file():
                server.last = Received(self.headers, b"")
                name = {"Content-Disposition": f'attachment; filename="{file.name}"'}
                headers = name if kind == "static" else {}
                self._send(200, "text/html; charset=UTF-8", file.read_bytes(), headers)
            else:
                self._send(404, "application/json", b'{"message":"Not Found"}')

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received = Received(self.headers, body)
            if self.path.endswith("/events"):
                server.event = received
            else:
                server.webhook = received
            self._send(200, "text/plain", b"OK")

        def do_PUT(self) -> None:
            self.do_POST()

        def do_PATCH(self) -> None:
            self.do_POST()

        def _send(
            self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listening = QuietServer(("127.0.0.1", 0), Handler)
    server.port = listening.server_port
    with serving(listening):
        yield server


class Farms:
    """Each is started when it is first needed."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, Farm] = {}

    def get(self, kind: str) -> Farm:
        if kind not in self._running:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            running = running_farm(Path(folder) / "log", workers=1, **_SETTINGS[kind])
            self._running[kind] = self._stack.enter_context(running)
        return self._running[kind]


@dataclass
class World:
    """Of one scenario."""

    farms: Farms
    server: Server
    farm: Farm | None = None
    answer: requests.Response | None = None
    answers: list[requests.Response] = field(default_factory=list)
    #: The files of the last answer, or webhook, by their names.
    files: dict[str, bytes] = field(default_factory=dict)

    def local(self, text: str) -> str:
        text = text.replace(_HOST, "127.0.0.1").replace(r"docker\\.internal", r"0\\.0\\.1")
        return text.replace("%d", str(self.server.port))

    @property
    def body(self) -> bytes:
        assert self.answer is not None
        return self.answer.content

    def send(self, method: str, path: str, rows: list[list[str]]) -> requests.Response:
        assert self.farm is not None
        fields: list[tuple[str, Any]] = []
        headers = {}
        for name, value, kind in rows:
            if kind == "header":
                headers[name] = self.local(value)
            elif kind == "field":
                fields.append((name, (None, self.local(value))))
            else:
                file = Path(value)
                stored = self.files.get(file.name) if file.parts[0] == "teststore" else None
                data = stored or (self.server.data.parent / file).read_bytes()
                fields.append((name, (file.name, data)))
        # `requests` sends no form without a part.
        fields = fields or [("nothing", (None, ""))]
        return requests.request(
            method, self.farm.url + path, files=fields, headers=headers, timeout=90
        )

    def take(self, headers: Any, content: bytes) -> None:
        name = _filename(headers.get("Content-Disposition", ""))
        self.files = {name: content} if name else {}
        if headers.get("Content-Type") == "application/zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self.files |= {each: archive.read(each) for each in archive.namelist()}

    def pdfs(self) -> list[bytes]:
        return [data for name, data in self.files.items() if name.lower().endswith(".pdf")]

    def file(self, name: str) -> bytes:
        found = [data for each, data in self.files.items() if fnmatch.fnmatch(each, name)]
        assert found, f"no file {name!r} among {sorted(self.files)}"
        return found[0]


def _filename(disposition: str) -> str:
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_filename() or ""


_STEPS: list[tuple[re.Pattern[str], Callable[..., None]]] = []


def step(pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def keep(function: Callable[..., None]) -> Callable[..., None]:
        _STEPS.append((re.compile(pattern), function))
        return function

    return keep


@step(r"I have a default Gotenberg container")
def _default(world: World, _: Step) -> None:
    world.farm = world.farms.get(_PLAIN)


@step(r"I have a Gotenberg container with the following environment variable\(s\):")
def _with_settings(world: World, given: Step) -> None:
    names = [row[0] for row in given.rows]
    if unknown := [name for name in names if name not in _FARMS and name not in _BESIDE]:
        raise NotHere(f"the farm has no {', '.join(unknown)}")
    kinds = [_FARMS[name] for name in names if name in _FARMS]
    values = dict(row if len(row) == 2 else [row[0], ""] for row in given.rows)
    if not kinds and values.get("CHROMIUM_ALLOW_LIST"):
        raise NotHere("the farm has no list of URLs, but an egress policy")
    world.farm = world.farms.get(kinds[0] if kinds else _PLAIN)
    if values.get("CHROMIUM_ALLOW_LIST") == ".+":
        world.farm = world.farms.get(_PLAIN)


@step(r"I have a (?:webhook|static) server")
def _server(world: World, _: Step) -> None:
    world.server.last = world.server.webhook = world.server.event = None


@step(r'I make a "(GET|HEAD)" request to Gotenberg at the "([^"]*)" endpoint(?: with .*)?')
def _get(world: World, given: Step, method: str, path: str) -> None:
    assert world.farm is not None
    headers = dict(row for row in given.rows)
    world.answer = requests.request(method, world.farm.url + path, headers=headers, timeout=90)


@step(r'I make a "(POST)" request to Gotenberg at the "([^"]*)" endpoint with the following .*')
def _post(world: World, given: Step, method: str, path: str) -> None:
    world.answer = world.send(method, path, given.rows)
    world.take(world.answer.headers, world.answer.content)


@step(r'I make (\d+) concurrent "(POST)" requests to Gotenberg at the "([^"]*)" endpoint with .*')
def _posts(world: World, given: Step, count: str, method: str, path: str) -> None:
    with ThreadPoolExecutor(int(count)) as pool:
        sent = [pool.submit(world.send, method, path, given.rows) for _ in range(int(count))]
        world.answers = [each.result() for each in sent]


@step(r"I wait for the asynchronous request to the webhook")
def _wait(world: World, _: Step) -> None:
    wait_until(lambda: world.server.webhook is not None, 20)
    assert world.server.webhook is not None
    world.take(world.server.webhook.headers, world.server.webhook.body)


@step(r"the Gotenberg container (?:should|should NOT) log the following entries:")
def _logs(world: World, _: Step) -> None:
    pass


@step(r"the response status code should be (\d+)")
def _status(world: World, _: Step, status: str) -> None:
    assert world.answer is not None
    assert world.answer.status_code == int(status), (
        f"{world.answer.status_code} {world.answer.text[:300]!r}, not {status}"
    )


@step(r"all concurrent response status codes should be (\d+)")
def _all_statuses(world: World, _: Step, status: str) -> None:
    assert {answer.status_code for answer in world.answers} == {int(status)}


@step(r"all concurrent responses should have (\d+) PDF\(s\)")
def _all_pdfs(world: World, _: Step, count: str) -> None:
    assert all(answer.content.startswith(b"%PDF") for answer in world.answers)


def _headers(world: World, kind: str) -> Any:
    if kind == "response":
        assert world.answer is not None
        return world.answer.headers
    received = world.server.webhook if kind.startswith("webhook") else world.server.last
    assert received is not None, "nothing was received"
    return received.headers


@step(r'the (\w+(?: request)?) header "([^"]*)" should be "([^"]*)"')
def _header(world: World, _: Step, kind: str, name: str, value: str) -> None:
    found = _headers(world, kind).get(name, "")
    assert found == value, f"{name} is {found!r}, not {value!r}"


@step(r'the (\w+(?: request)?) cookie "([^"]*)" should be "([^"]*)"')
def _cookie(world: World, _: Step, kind: str, name: str, value: str) -> None:
    sent = dict(
        each.strip().partition("=")[::2]
        for each in _headers(world, kind).get("Cookie", "").split(";")
    )
    assert sent.get(name, "") == value, f"{name} is {sent.get(name, '')!r}"


@step(r"the (response|webhook request) body should (match|contain) string:")
def _text(world: World, given: Step, kind: str, how: str) -> None:
    found = world.body.decode()
    if kind != "response":
        assert world.server.webhook is not None
        found = world.server.webhook.body.decode()
    wanted = (given.doc or "").replace("{version}", "8.36.0")
    holds = found == wanted if how == "match" else wanted in found
    assert holds, f"{found[:1500]!r}, not {wanted[:1500]!r}"


@step(r"the (response|webhook request) body should match JSON:")
def _json(world: World, given: Step, kind: str) -> None:
    _same(json.loads(given.doc or ""), json.loads(world.body))


@step(r"the webhook event should match JSON:")
def _event(world: World, given: Step) -> None:
    wait_until(lambda: world.server.event is not None, 10)
    assert world.server.event is not None
    _same(json.loads(given.doc or ""), json.loads(world.server.event.body))


def _same(wanted: Any, found: Any) -> None:
    if wanted == "ignore":
        return
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            assert name in found, f"no {name} in {found}"
            _same(value, found[name])
    else:
        assert wanted == found, f"{found!r}, not {wanted!r}"


@step(r"there should be (\d+) PDF\(s\) in the (?:response|webhook request)")
def _count(world: World, _: Step, count: str) -> None:
    assert len(world.pdfs()) == int(count), sorted(world.files)


@step(r"there should be the following file\(s\) in the (?:response|webhook request):")
def _names(world: World, given: Step) -> None:
    for row in given.rows:
        world.file(row[0])


@step(r'the "([^"]*)" PDF should have (\d+) page\(s\)')
def _pages(world: World, _: Step, name: str, count: str) -> None:
    with pikepdf.open(io.BytesIO(world.file(name))) as document:
        assert len(document.pages) == int(count), f"{len(document.pages)} pages"


def _page_text(world: World, name: str, page: str) -> str:
    document = pypdfium2.PdfDocument(world.file(name))
    text: str = document[int(page) - 1].get_textpage().get_text_range()
    return text


@step(r'the "([^"]*)" PDF (should|should NOT) have the following content at page (\d+):')
def _content(world: World, given: Step, name: str, how: str, page: str) -> None:
    text = " ".join(_page_text(world, name, page).split())
    assert ((given.doc or "") in text) == (how == "should"), f"the text is {text!r}"


@step(r'the "([^"]*)" PDF (should|should NOT) have content matching "([^"]*)" at page (\d+)')
def _matching(world: World, _: Step, name: str, how: str, pattern: str, page: str) -> None:
    text = _page_text(world, name, page)
    assert bool(re.search(pattern, text)) == (how == "should"), f"the text is {text!r}"


@step(r'the "([^"]*)" PDF (should|should NOT) be set to landscape orientation')
def _landscape(world: World, _: Step, name: str, how: str) -> None:
    width, height = pypdfium2.PdfDocument(world.file(name))[0].get_size()
    assert (width > height) == (how == "should"), f"{width} × {height}"


@step(r'the "([^"]*)" PDF (should|should NOT) have a document outline')
def _outline(world: World, _: Step, name: str, how: str) -> None:
    with pikepdf.open(io.BytesIO(world.file(name))) as document:
        assert ("/Outlines" in document.Root) == (how == "should")


@step(r'the "([^"]*)" PDF should have (\d+) image\(s\)')
def _images(world: World, _: Step, name: str, count: str) -> None:
    with pikepdf.open(io.BytesIO(world.file(name))) as document:
        assert sum(len(page.images) for page in document.pages) == int(count)


@step(r'the "([^"]*)" image should be (\d+)x(\d+) pixels')
def _sides(world: World, _: Step, name: str, width: str, height: str) -> None:
    image = _image(world.file(name))
    assert (image.width, image.height) == (int(width), int(height))


@step(r'the "([^"]*)" image pixel at (\d+),(\d+) should be "#([^"]*)"')
def _pixel(world: World, _: Step, name: str, x: str, y: str, colour: str) -> None:
    found = bytes(int(value) for value in _image(world.file(name))(int(x), int(y))[:3])
    assert found.hex() == colour.lower(), found.hex()


def _image(data: bytes) -> Any:
    import pyvips

    return pyvips.Image.new_from_buffer(data, "")


@step(r'the "([^"]*)" file size should be (less|greater) than (\d+) KB')
def _size(world: World, _: Step, name: str, how: str, kilobytes: str) -> None:
    size = len(world.file(name))
    assert (size < int(kilobytes) * 1024) == (how == "less"), f"{size} bytes"


@step(r"the (?:response|webhook request) PDF\(s\) (should|should NOT) be flatten")
def _flat(world: World, _: Step, how: str) -> None:
    for data in world.pdfs():
        with pikepdf.open(io.BytesIO(data)) as document:
            has_notes = any("/Annots" in page for page in document.pages)
            assert has_notes != (how == "should")


@step(r"the (?:response|webhook request) PDF\(s\) (should|should NOT) be encrypted")
def _encrypted(world: World, _: Step, how: str) -> None:
    for data in world.pdfs():
        try:
            pikepdf.open(io.BytesIO(data)).close()
            is_open = True
        except pikepdf.PasswordError:
            is_open = False
        assert is_open != (how == "should")


def run(scenario: Scenario, world: World) -> str | None:
    """Why it does not hold; None: it does. Raises `NotHere`."""
    for each in scenario.steps:
        for pattern, function in _STEPS:
            if (match := pattern.fullmatch(each.text)) is not None:
                try:
                    function(world, each, *match.groups())
                except (AssertionError, requests.RequestException, pikepdf.PdfError) as exc:
                    return f"{each.text[:80]}: {exc}"
                break
        else:
            return f"unknown step: {each.text}"
    return None


def main() -> int:
    checkout, *names = sys.argv[1:]
    tests = Path(checkout) / "test" / "integration"
    totals = []
    with ExitStack() as stack:
        farms = Farms(stack)
        server = stack.enter_context(running_server(tests / "testdata"))
        for name in names or FEATURES:
            passed = failed = left_out = 0
            print(f"\n{name}")
            for scenario in scenarios(tests / "features" / f"{name}.feature"):
                try:
                    why = run(scenario, World(farms, server))
                except NotHere as reason:
                    left_out += 1
                    print(f"  not here  {scenario.name}: {reason}")
                    continue
                passed, failed = passed + (why is None), failed + (why is not None)
                print(f"  {'passed' if why is None else 'FAILED'}    {scenario.name}", end="")
                print(f"\n              {why}" if why else "")
            totals.append((name, passed, failed, left_out))
    print("\n| feature | scenarios | pass | differ | not run |\n|---|---|---|---|---|")
    for name, passed, failed, left_out in totals:
        total = passed + failed + left_out
        print(f"| {name} | {total} | {passed} | {failed} | {left_out} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
