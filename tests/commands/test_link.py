"""`farm link`."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farm.cli import main
from farm.links import LinkKeys
from farm.request import Limits, Link
from farm.settings import Settings

KEY = "0123456789abcdef" * 2
LIMITS = Limits.of(Settings())


def run(*arguments: str, stdin: str = "", key: str | None = KEY) -> Result:
    return CliRunner().invoke(main, ["link", *arguments], input=stdin, env={"FARM_LINK_KEY": key})


def read(result: Result) -> Link:
    assert result.exit_code == 0, result.output
    _, signature, payload = result.output.strip().rsplit("/", 2)
    assert LinkKeys.parse(KEY).name_of(signature, payload)
    return Link.read(payload, LIMITS)


def test_a_page_and_flags_become_a_link(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<h1>Hello")
    flags = ["--width", "1200", "--height", "630", "--format", "jpeg", "--ttl", "60"]
    result = run(str(page), *flags, "--base", "https://img.example.com")
    assert result.output.startswith("https://img.example.com/r/")
    link = read(result)
    assert link.request.html == "<h1>Hello"
    options = link.request.options
    assert (options.width, options.height, options.format) == (1200, 630, "jpeg")
    assert link.request.cache is not None
    assert link.request.cache.ttl == 60
    assert link.expires_at is None


def test_a_url_and_standard_input_do_too() -> None:
    result = run("https://example.com/")
    assert result.output.startswith("http://127.0.0.1:3000/r/")
    assert read(result).request.url == "https://example.com/"
    link = read(run("-", stdin="<p>in"))
    assert (link.request.html, link.request.cache) == ("<p>in", None)


@pytest.mark.parametrize(
    ("given", "seconds"), [("90", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000)]
)
def test_an_expiry_is_counted_from_now(given: str, seconds: int) -> None:
    before = int(time.time())
    expires_at = read(run("-", "--expires", given, stdin="x")).expires_at
    assert expires_at is not None
    assert before <= expires_at - seconds <= time.time()


def test_the_first_of_several_keys_signs() -> None:
    read(run("-", stdin="x", key=f"site:{KEY} {KEY[::-1]}"))


@pytest.mark.parametrize(
    ("arguments", "key", "code", "says"),
    [
        (["-"], None, 1, "FARM_LINK_KEY is not set"),
        (["-"], "short", 1, "FARM_LINK_KEY: key 1 must be 32 or more"),
        (["-", "--width", "0"], KEY, 1, "options.width: must be an integer from 1"),
        (["-", "--outputs", "{}"], KEY, 1, "outputs: is not for links"),
        (["no-such-page.html"], KEY, 1, "no-such-page.html cannot be read"),
        (["ftp://example.com"], KEY, 1, "cannot be read"),
        (["-", "--expires", "soon"], KEY, 2, "is not like 90, 15m, 12h, 30d or 2w"),
        (["-", "--expires", "0d"], KEY, 2, "is not like"),
        (["-", "--ttl", "-1"], KEY, 2, "--ttl"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], key: str | None, code: int, says: str) -> None:
    result = run(*arguments, stdin="x", key=key)
    assert (result.exit_code, says in result.output) == (code, True), result.output
    assert "short" not in result.output


def test_a_page_that_is_too_long_is_told() -> None:
    page = "".join(f"{number * 7919 % 65537:x}" for number in range(9_000))
    result = run("-", stdin=page)
    assert result.exit_code == 1
    assert "too long for a link" in result.output
