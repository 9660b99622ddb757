"""Several files of one load: each as if it were the only one."""

from typing import Any

import pytest
from PIL import ImageChops, ImageStat

from farm.errors import InvalidRequest, OutputTooLarge, SelectorNotFound
from farm.render import Engine
from farm.render.page.outputs import groups
from farm.render.page.time_limit import capture_s
from farm.request import HTML_OR_URL, Limits, RenderRequest
from tests.support.images import BLUE, LIME, RED, colour, is_filled, opened
from tests.support.site import Site

#: Higher than the viewport, with an element far down, and another colour on narrow screens.
PAGE = """<!doctype html><title>T</title><style>
body { margin: 0; height: 3000px; background: linear-gradient(red, blue) }
#far { position: absolute; top: 2000px; width: 300px; height: 100px; background: lime }
@media (max-width: 500px) { body { background: blue } }
</style><h1>Hello</h1><div id="far"></div>"""
OUTPUTS: list[dict[str, Any]] = [
    {"name": "view"},
    {"name": "far", "selector": "#far"},
    {"name": "again", "format": "jpeg"},
    {"name": "whole", "fullPage": True, "format": "webp", "quality": 50},
    {"name": "phone", "width": 390, "height": 844, "deviceScaleFactor": 2},
    {"name": "clear", "omitBackground": True, "clip": {"x": 0, "y": 0, "width": 9, "height": 9}},
    {"name": "paper", "format": "pdf", "pdf": {"footer": "<b class=title></b>"}},
    {"name": "markup", "format": "html"},
    {"name": "small", "resize": {"width": 64}},
    {"name": "last"},
]


def rendered(engine: Engine, outputs: list[Any], html: str = PAGE, **fields: Any) -> dict[str, Any]:
    """What is told of each file, and the file, by its name."""
    source = {} if "url" in fields else {"html": html}
    fields = {**source, "outputs": outputs, **fields}
    result = engine.render(RenderRequest.from_fields(fields, HTML_OR_URL, engine.limits))
    assert result.format.name == "zip"
    pairs = zip(result.facts["outputs"], result.members, strict=True)
    return {told["name"]: {**told, "data": member.of(result.data)} for told, member in pairs}


def alone(engine: Engine, output: dict[str, Any], **options: Any) -> bytes:
    given = {name: value for name, value in output.items() if name != "name"}
    fields = {"html": PAGE, "options": {**options, **given}}
    return engine.render(RenderRequest.from_fields(fields, HTML_OR_URL, engine.limits)).data


def assert_alike(one: bytes, other: bytes) -> None:
    """The same size, and on average a hundredth of the colours' range apart."""
    difference = ImageChops.difference(opened(one), opened(other))
    assert max(ImageStat.Stat(difference).mean) < 2.5


def test_each_file_is_the_one_of_a_load_of_its_own(engine: Engine) -> None:
    files = rendered(engine, OUTPUTS)
    assert list(files) == [output["name"] for output in OUTPUTS]
    for output in OUTPUTS:
        file = files[str(output["name"])]
        if output["name"] == "paper":
            assert (file["format"], file["pages"]) == ("pdf", 3)
        elif output["name"] == "phone":
            # But for glyphs, which are placed as in the scale that the page was loaded with.
            assert_alike(file["data"], alone(engine, output))
        else:
            assert file["data"] == alone(engine, output), output["name"]


def test_what_is_told_of_a_file_is_right(engine: Engine) -> None:
    for file in rendered(engine, OUTPUTS).values():
        assert file["fileName"] == f"{file['name']}.{file['format']}"
        assert file["size"] == len(file["data"])
        if file["format"] in ("png", "jpeg", "webp"):
            assert opened(file["data"]).size == (file["width"], file["height"])


def test_a_page_is_waited_for_in_each_viewport(engine: Engine, site: Site) -> None:
    """For what its script loads only there."""
    site.pages = {
        "/grows": "<body><script>onresize = () => document.body.innerHTML = `<style>img { position:"
        "fixed; inset: 0; width: 100%; height: 100% }</style><img src='/red.svg?${innerWidth}'>`"
        "</script>"
    }
    outputs = [{}, {"width": 300}, {"width": 300, "height": 200}]
    files = rendered(engine, outputs, url=f"{site.url}/grows")
    assert not is_filled(files["1"]["data"], RED)
    assert [is_filled(files[name]["data"], RED) for name in ("2", "3")] == [True, True]


def test_what_never_comes_is_not_waited_for_in_each_viewport(make_engine: Any, site: Site) -> None:
    engine = make_engine(settle_max_s=1)
    html = f"<script>fetch('{site.url}/slow', {{mode: 'no-cors'}}); x = new Image;"
    html += f"onresize = () => {{ x.src = '{site.url}/red.svg?' + innerWidth }}</script>"
    fields = {"html": html, "outputs": [{"width": 300 + place} for place in range(6)]}
    result = engine.render(RenderRequest.from_fields(fields, HTML_OR_URL, engine.limits))
    assert result.unfinished == (f"{site.url}/slow",)
    # Else at least a second for each.
    assert result.timings.capturing_ms < 6_000


def test_all_files_of_a_page_whose_time_has_passed_are_captured(engine: Engine) -> None:
    outputs = [*({"width": 300 + place, "fullPage": True} for place in range(9)), {"format": "pdf"}]
    # Half of the time is kept for ten files. A busy machine needs seconds for them.
    options = {"timeout": 12_000, "onTimeout": "capture", "waitForSelector": "#never"}
    assert len(rendered(engine, outputs, options=options)) == 10


@pytest.mark.parametrize(
    ("allowed_s", "files", "kept_s"),
    [(30, 1, 2), (2, 1, 0.4), (30, 10, 6.5), (2, 10, 1), (4, 3, 1.2)],
)
def test_more_files_have_more_of_the_time(allowed_s: float, files: int, kept_s: float) -> None:
    assert capture_s(allowed_s, files) == pytest.approx(kept_s)


def test_pictures_of_one_viewport_differ_in_their_encoding_alone(engine: Engine) -> None:
    outputs = [{}, {"optimizeForSpeed": False}, {"format": "webp"}, {"format": "avif"}]
    files = list(rendered(engine, outputs, html="<body style='background:lime'>").values())
    assert [is_filled(file["data"], LIME) for file in files[:3]] == [True] * 3
    assert files[0]["size"] > files[1]["size"]
    assert files[3]["format"] == "avif"


def test_no_more_pixels_are_drawn_at_once_than_of_one_picture() -> None:
    """Ten of 64 megapixels at once took the browser down, and other pages with it."""

    def sizes(*outputs: dict[str, Any]) -> list[int]:
        fields = {"html": "x", "outputs": outputs}
        limits = Limits(deadline_ms=1, max_pixels=1 << 26)
        files = RenderRequest.from_fields(fields, HTML_OR_URL, limits).files
        return [len(group) for group in groups([file.options for file in files])]

    large = {"width": 8000, "height": 8000}
    middling = {"width": 2000, "height": 1000, "deviceScaleFactor": 2}
    assert sizes(large, {**large, "format": "jpeg"}) == [1, 1]
    assert sizes(*[middling] * 5) == [2, 2, 1]
    assert sizes({}, {"format": "webp"}, middling, {}, {"format": "pdf"}, {}) == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("doctype", ["<!doctype html>", ""], ids=["standards", "quirks"])
def test_all_is_scrolled_back_from_an_element(engine: Engine, doctype: str) -> None:
    """Also what the element lies in, and a form whose fields are called like its properties."""
    html = doctype + "<style>* { margin: 0; scroll-behavior: smooth } form { height: 200px;"
    html += (
        "overflow: auto } #far, input { display: block; height: 3000px; background: lime }</style>"
    )
    html += "<body style='height:9000px'><p style='height:900px'><form><input name=parentElement>"
    html += "<input name=scrollTo><input name=scrollTop><b id=far></b></form><script>"
    html += "document.querySelector('form').scrollTo({top: 70, behavior: 'instant'});"
    html += "scrollTo({top: 800, behavior: 'instant'})</script>"
    files = rendered(engine, [{"name": "a"}, {"selector": "#far"}, {"name": "b"}], html=html)
    assert files["a"]["data"] == files["b"]["data"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "pause_ms",
    [140, 230, *(pytest.param(ms, marks=pytest.mark.dedicated) for ms in (110, 170, 200, 260))],
)
def test_a_page_that_goes_elsewhere_again_and_again_is_captured(
    engine: Engine, site: Site, pause_ms: int
) -> None:
    """Between any two steps of it."""
    site.pages["/flip"] = "<h1>A</h1><b id=far style='position:absolute;top:3000px'>b</b><script>"
    site.pages["/flip"] += "const n = Number(location.search.slice(1)); if (n < 30) setTimeout(() "
    site.pages["/flip"] += f"=> location.replace('/flip?' + (n + 1)), {pause_ms})</script>"
    outputs = [{"selector": "h1"}, {"selector": "#far"}] * 5
    assert len(rendered(engine, outputs, url=f"{site.url}/flip")) == 10


def test_a_selector_without_a_match_names_its_file(engine: Engine) -> None:
    with pytest.raises(SelectorNotFound):
        rendered(engine, [{}, {"selector": "#none"}], options={"timeout": 3000})
    with pytest.raises(InvalidRequest, match=r"outputs\.1\.selector: must be a CSS selector"):
        rendered(engine, [{}, {"selector": "::"}])
    with pytest.raises(InvalidRequest, match=r"outputs\.0\.pdf\.pages: the document has fewer"):
        rendered(engine, [{"format": "pdf", "pdf": {"pages": "9"}}])


def test_all_files_together_have_a_bound(make_engine: Any) -> None:
    engine = make_engine(max_output_bytes=200_000)
    # No PNG of it has less than 120,000 bytes.
    noise = "<canvas id=c width=200 height=200></canvas><script>const x = c.getContext('2d'),"
    noise += "d = x.createImageData(200, 200); for (let i = 0; i < 160000; i += 50000)"
    noise += "crypto.getRandomValues(d.data.subarray(i, Math.min(i + 50000, 160000)));"
    noise += "for (let i = 3; i < 160000; i += 4) d.data[i] = 255; x.putImageData(d, 0, 0)</script>"
    one = {"width": 220, "height": 220}
    assert rendered(engine, [one], html=noise)["1"]["size"] > 120_000
    for two in ([one, one], [one, {**one, "fullPage": True}]):
        with pytest.raises(OutputTooLarge, match="more than 200,000 bytes"):
            rendered(engine, two, html=noise)


def test_the_next_render_of_the_context_is_as_new(kept_engine: Engine) -> None:
    before = alone(kept_engine, {})
    rendered(kept_engine, [{"width": 390, "deviceScaleFactor": 2}, {"selector": "#far"}])
    assert alone(kept_engine, {}) == before


def test_each_file_shows_its_own_part(engine: Engine) -> None:
    files = rendered(engine, OUTPUTS)
    assert colour(files["phone"]["data"], 700, 1600) == BLUE
    assert colour(files["far"]["data"], 5, 5) == LIME
    assert colour(files["view"]["data"], 900, 700)[0] > 180
