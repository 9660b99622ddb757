"""Several files of one load: what each is captured with, and what is refused."""

from typing import Any

import pytest

from farm.errors import InvalidRequest, OutputTooLarge
from farm.request import HTML_OR_URL, Limits, RenderRequest

LIMITS = Limits(deadline_ms=30_000, max_pixels=2_000_000)
CLIP = {"x": 0, "y": 0, "width": 10, "height": 10}


def asked(*outputs: Any, **options: Any) -> RenderRequest:
    fields = {"html": "x", "options": options, "outputs": list(outputs)}
    return RenderRequest.from_fields(fields, HTML_OR_URL, LIMITS)


def captured(request: RenderRequest) -> list[dict[str, Any]]:
    """What each file asks for that is not a default, by JSON's names."""
    return [file.options.model_dump(by_alias=True, exclude_defaults=True) for file in request.files]


def problems(*outputs: Any, **options: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        asked(*outputs, **options)
    return {each.field: each.problem for each in caught.value.problems}


def test_a_file_is_as_the_options_where_it_says_nothing() -> None:
    request = asked({}, {"width": 300}, format="jpeg", quality=50, fullPage=True, locale="de")
    base = {"format": "jpeg", "quality": 50, "full_page": True, "locale": "de"}
    assert [
        file.options.model_dump(exclude_defaults=True, exclude_none=True) for file in request.files
    ] == [base, base | {"width": 300}]


def test_a_default_can_be_asked_for_against_the_options() -> None:
    assert captured(asked({"format": "png", "width": 1280}, format="webp", width=300)) == [{}]


def test_the_part_of_the_page_is_the_files_own() -> None:
    request = asked({"selector": "p"}, {"clip": CLIP}, {"fullPage": False}, fullPage=True)
    whole = request.files
    assert [file.options.selector for file in whole] == ["p", None, None]
    assert [file.options.full_page for file in whole] == [False, False, False]


def test_options_that_a_files_format_has_not_are_not_its() -> None:
    request = asked({"format": "pdf"}, {"format": "jpeg"}, {}, quality=30, pdf={"landscape": True})
    assert captured(request) == [
        {"format": "pdf", "pdf": {"landscape": True}},
        {"format": "jpeg", "quality": 30},
        {},
    ]


def test_files_are_named_by_themselves_or_by_their_number() -> None:
    request = asked({"name": "card"}, {}, {"name": "a.PNG"}, {"format": "pdf", "name": "a.png"})
    assert [file.name for file in request.files] == ["card", "2", "a.PNG", "a.png"]
    assert [file.file_name for file in request.files] == [
        *("card.png", "2.png", "a.PNG", "a.png.pdf"),
    ]


@pytest.mark.parametrize(
    ("outputs", "field", "problem"),
    [
        ([{"name": "../x"}], "outputs.0.name", "must be 1 to 64 letters"),
        ([{"name": ".x"}], "outputs.0.name", "no dot the first"),
        ([{"name": "ä"}], "outputs.0.name", "must be 1 to 64 letters"),
        ([{"name": "a"}, {"name": "A.png"}], "outputs.1.name", "there is another A.png"),
        ([{"name": "2"}, {}], "outputs.1.name", "there is another 2.png"),
        ([{}] * 11, "outputs", "must be a list of at most 10"),
        ([{"waitFor": 1}], "outputs.0.waitFor", "unknown field"),
        ([{}, {"format": "gif"}], "outputs.1.format", "must be one of png"),
        ([{}, {"quality": 5}], "outputs.1", "png has no quality"),
        ([{"format": "png", "pdf": {"landscape": True}}], "outputs.0", "pdf is for the format pdf"),
        ([{"clip": CLIP, "fullPage": True}], "outputs.0", "clip is not together with fullPage"),
        ([{"width": None}], "outputs.0.width", "must be an integer"),
        ([3], "outputs.0", "must be an object"),
    ],
)
def test_what_is_wrong_is_named(outputs: list[Any], field: str, problem: str) -> None:
    assert problem in problems(*outputs)[field]


def test_problems_of_files_and_of_options_are_named_together() -> None:
    assert set(problems({"width": 0}, {"name": "/"}, height=0)) == {
        *("options.height", "outputs.0.width", "outputs.1.name"),
    }


def test_a_page_whose_clock_stands_is_one_file() -> None:
    says = "several files are not together with deterministic"
    assert problems({}, {}, deterministic=True) == {"outputs": says}
    assert asked({}, deterministic=True).format.name == "zip"


def test_options_that_make_no_sense_are_still_refused() -> None:
    assert "waitFor must be shorter" in problems({}, waitFor=9, timeout=5)["options"]


def test_each_picture_may_have_so_many_pixels() -> None:
    with pytest.raises(OutputTooLarge, match="4,000,000 pixels"):
        asked({}, {"width": 2000, "height": 2000})


def test_no_files_are_the_one_of_the_options() -> None:
    request = asked(width=5)
    assert captured(request) == [{"width": 5}]
    assert request.format.name == "png"
    assert asked({}).format.name == "zip"


def test_a_stored_request_is_read_as_it_was() -> None:
    request = asked(
        *({"format": "png"}, {"format": "pdf", "pdf": {}, "name": "a"}, {"clip": CLIP}),
        format="webp",
        quality=3,
        pdf={"landscape": True},
    )
    read = RenderRequest.from_json(request.to_json(), LIMITS)
    assert read == request
    assert read.files == request.files
    assert read.identity() == request.identity()
