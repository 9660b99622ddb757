"""What a PDF may be asked for."""

import json
from typing import Any

import pytest

from farm.errors import InvalidRequest
from farm.request import Limits, RenderRequest
from farm.request.pdf import PdfOptions

LIMITS = Limits(deadline_ms=30_000, max_pixels=67_108_864)


def parse(pdf: object, format_: str = "pdf") -> RenderRequest:
    body = json.dumps({"html": "x", "options": {"format": format_, "pdf": pdf}}).encode()
    return RenderRequest.parse(body, ("html",), LIMITS)


def asked(**pdf: Any) -> PdfOptions:
    options = parse(pdf).options.pdf
    assert options is not None
    return options


def problems(pdf: object, format_: str = "pdf") -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse(pdf, format_)
    return {problem.field: problem.problem for problem in caught.value.problems}


@pytest.mark.parametrize(
    "pdf",
    [
        {},
        {"paper": "A4", "margin": 0, "scale": 1, "background": True, "preferCssPageSize": True},
        {"paper": "a4", "landscape": False, "outline": False, "singlePage": False},
    ],
)
def test_what_is_the_default_is_not_asked_for(pdf: object) -> None:
    assert parse(pdf) == RenderRequest.parse(
        b'{"html": "x", "options": {"format": "pdf"}}', ("html",), LIMITS
    )
    assert parse(pdf, "png").options.pdf is None


@pytest.mark.parametrize(
    "pdf",
    [
        {"paper": "Letter", "margin": "1cm", "pages": "1-5, 8"},
        {"paper": {"width": 100, "height": "10cm"}, "margin": {"top": 12, "left": "0.25in"}},
        {"header": "<b>x</b>", "footer": "y", "password": "secret", "tagged": True},
        {"metadata": {"title": "ü", "keywords": "a, b"}, "outline": True, "scale": 0.5},
    ],
)
def test_a_stored_request_is_the_same(pdf: object) -> None:
    request = parse(pdf)
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request


def test_other_formats_have_no_pdf() -> None:
    says = "pdf is for the format pdf, not for jpeg"
    assert problems({"landscape": True}, "jpg") == {"options": says}


@pytest.mark.parametrize(
    ("length", "pixels"),
    [
        (37, 37),
        (37.5, 37.5),
        ("37px", 37),
        ("1in", 96),
        ("2.54cm", 96),
        ("25.4mm", 96),
        ("72pt", 96),
    ],
)
def test_lengths_have_units(length: object, pixels: float) -> None:
    margins = asked(margin=length).margins
    assert list(margins) == ["top", "right", "bottom", "left"]
    assert list(margins.values()) == pytest.approx([pixels] * 4)


@pytest.mark.parametrize(
    "length", ["", "1", "1 cm", "1em", "-1px", "1e3px", "\u0661px", "1cm;", "1.px", True, "1cm\n"]
)
def test_what_is_no_length_is_refused(length: object) -> None:
    says = 'must be a length: a number (pixels), or text such as "10mm"'
    assert problems({"margin": {"top": length}}) == {"options.pdf.margin.top": says}
    assert problems({"margin": length}) == {"options.pdf.margin": says}


@pytest.mark.parametrize("length", [-1, 19_200.1, "201in", "999999cm", 1e300])
def test_lengths_are_bounded(length: object) -> None:
    assert "from 0 to 19200 pixels" in problems({"margin": length})["options.pdf.margin"]


def test_papers_have_the_sizes_that_playwright_gives_them() -> None:
    assert asked(paper="letter").paper_in == (8.5, 11)
    assert asked(paper="A5").paper_in == (5.83, 8.27)
    assert asked(paper="LEDGER", landscape=True).page_px == (11 * 96, 17 * 96)
    assert asked(paper={"width": "10in", "height": 480}).paper_in == (10, 5)


@pytest.mark.parametrize(
    ("paper", "says"),
    [
        (
            "A7",
            {"paper": "must be one of A0, A1, A2, A3, A4, A5, A6, Letter, Legal, Tabloid, Ledger"},
        ),
        (["A4"], {"paper": "must be a value or an object"}),
        ({"width": 100}, {"paper.height": "missing"}),
        ({"width": 100, "height": 100, "depth": 1}, {"paper.depth": "unknown field"}),
        (
            {"width": 1, "height": 1},
            dict.fromkeys(("paper.width", "paper.height"), "must be at least 24 pixels"),
        ),
    ],
)
def test_other_papers_are_refused(paper: object, says: dict[str, str]) -> None:
    found = problems({"paper": paper})
    assert {f"options.pdf.{name}" for name in says} == found.keys()
    assert all(found[f"options.pdf.{name}"].startswith(text) for name, text in says.items())


def test_margins_leave_room() -> None:
    assert asked(margin={"left": "4in", "right": "4in"}).content_px[0] == pytest.approx(25.92)
    says = "the margins leave less than 24 pixels of the paper"
    assert problems({"margin": {"left": "4in", "right": "4.1in"}}) == {"options.pdf": says}
    assert problems({"paper": "A6", "landscape": True, "margin": "2in"}) == {"options.pdf": says}


@pytest.mark.parametrize(
    ("pages", "ranges"),
    [
        ("3", [(3, 3)]),
        ("1-5, 8", [(1, 5), (8, 8)]),
        ("8,1 - 5", [(1, 5), (8, 8)]),
        ("1-5,3-7,8", [(1, 8)]),
        ("1-9,2-3", [(1, 9)]),
        ("999999", [(999_999, 999_999)]),
    ],
)
def test_pages_are_ranges(pages: str, ranges: list[tuple[int, int]]) -> None:
    assert asked(pages=pages).ranges == ranges


@pytest.mark.parametrize(
    "pages", ["", ",", "0", "0-3", "5-1", "-3", "3-", "1,", "1;2", "1000000", "a", "\uff11", "1\n2"]
)
def test_what_is_no_range_is_refused(pages: str) -> None:
    says = 'must be pages and ranges of pages, such as "1-5, 8"'
    assert problems({"pages": pages}) == {"options.pdf.pages": says}


@pytest.mark.parametrize(
    ("pdf", "fields"),
    [
        ({"scale": 0.09}, ["scale"]),
        ({"scale": 2.1}, ["scale"]),
        ({"pages": "1," * 300 + "1"}, ["pages"]),
        ({"header": "x" * 200_001}, ["header"]),
        ({"footer": "\ud800"}, ["footer"]),
        (
            {"metadata": {"title": "x" * 1001, "author": "\x00"}},
            ["metadata.title", "metadata.author"],
        ),
        ({"metadata": {"trapped": "x"}}, ["metadata.trapped"]),
        ({"metadata": {"created": "2006-09-18"}}, ["metadata.created"]),
        ({"password": ""}, ["password"]),
        ({"password": "ü" * 64}, ["password"]),
        ({"tagged": 1, "outline": "yes"}, ["tagged", "outline"]),
    ],
)
def test_all_has_bounds(pdf: object, fields: list[str]) -> None:
    assert sorted(problems(pdf)) == sorted(f"options.pdf.{field}" for field in fields)


def test_one_page_has_no_ranges() -> None:
    says = "singlePage is not together with pages"
    assert problems({"singlePage": True, "pages": "1"}) == {"options.pdf": says}


def test_a_password_is_not_shown() -> None:
    request = parse({"password": "open, sesame"})
    assert "sesame" not in repr(request)
    assert "sesame" not in str(problems({"password": "open, sesame" * 20}))


def test_permissions_are_for_encrypted_files() -> None:
    pdf = {"permissions": {"copying": False}}
    assert problems({**pdf}) == {
        "options.pdf": "permissions must have a password or an ownerPassword"
    }
    assert not asked(**pdf, ownerPassword="x").permissions.copying
    assert asked(landscape=True).permissions.copying


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2006-09-18T16:27:50-04:00", "2006-09-18T16:27:50-04:00"),
        ("2006-09-18T16:27:50.123Z", "2006-09-18T16:27:50+00:00"),
        ("2006-09-18 16:27+01:00", "2006-09-18T16:27:00+01:00"),
    ],
)
def test_moments_have_a_time_zone(text: str, moment: str) -> None:
    metadata = asked(metadata={"created": text}).metadata
    assert metadata is not None
    assert metadata.created == moment
