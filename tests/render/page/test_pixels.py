"""Pixels: the farm's against those of Playwright's own screenshots and PDFs of the same pages.

PNG, lossless WebP and JPEG must be the same in every pixel: the same Chromium draws the page, and
the same encoder writes the JPEG at the same quality. So there is no tolerance: over the corpus the
two JPEGs have the same bytes, while quality 79 instead of 80 changes pixels of every page.

PNG is compared of every page, WebP, JPEG and PDF of every fourth, or with `--whole-corpus` of every
page too. `make test` runs a quarter of it. `--isolation key` does it all in contexts that are used
again.
"""

from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser

from farm.render import Engine
from tests.conftest import request_for
from tests.render.page.references import CORPUS, assert_same, shown
from tests.support.images import opened
from tests.support.site import running_site

#: Playwright hides the text cursor in screenshots but prints it: a line one pixel wide.
WITH_A_CURSOR = {"form-with-focused-input", "focus-in-a-shadow-tree", "frames"}

#: Pages that look different in another viewport, or say what they see of it.
VIEWPORT_PAGES = [
    "responsive-to-the-viewport",
    "gradients",
    "fixed-and-sticky",
    "what-media-queries-see",
]

#: Pages that depend on what is kept of a page's settings when a URL is loaded in another process.
#: (`outerWidth` is not: a script that runs at once may read 0, in Playwright too.)
URL_PAGES = [
    "generic-families",
    "focus-rings",
    "form-with-focused-input",
    "frames-of-many-kinds",
    "frames-in-a-dark-page",
]


@dataclass(frozen=True)
class Reference:
    """A page of the corpus, and what Playwright makes of it."""

    stem: str
    html: str
    png: bytes


@dataclass(frozen=True)
class FileReference:
    """A page of the corpus, and the files that Playwright makes of it."""

    stem: str
    html: str
    png: bytes
    jpeg: bytes
    pdf: bytes


@pytest.fixture(scope="module")
def stems() -> dict[bytes, str]:
    """The pages by their pictures."""
    return {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """For the module, so that pytest runs all tests of a page in turn and loads the page once."""
    files = CORPUS if metafunc.config.getoption("whole_corpus") else CORPUS[::4]
    for name, paths in {"reference": CORPUS, "file_reference": files}.items():
        if name in metafunc.fixturenames:
            stems = [path.stem for path in paths]
            metafunc.parametrize(name, paths, ids=stems, indirect=True, scope="module")


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest, browser: Browser) -> Reference:
    path: Path = request.param
    html = path.read_text()
    with shown(browser, html) as page:
        return Reference(path.stem, html, page.screenshot())


@pytest.fixture(scope="module")
def file_reference(request: pytest.FixtureRequest, browser: Browser) -> FileReference:
    path: Path = request.param
    html = path.read_text()
    # A page's second screenshot can differ from its first: a tick in a checkbox is smoothed anew.
    with shown(browser, html) as page:
        png = page.screenshot()
    with shown(browser, html) as page:
        jpeg = page.screenshot(type="jpeg", quality=80)
        pdf = page.pdf(format="A4", print_background=True, prefer_css_page_size=True)
    return FileReference(path.stem, html, png, jpeg, pdf)


def rendered(engine: Engine, html: str, format_: str, **options: object) -> bytes:
    return engine.render(request_for(engine, html, format=format_, **options)).data


@pytest.mark.one_in(4)
def test_png_has_the_pixels_of_playwrights_screenshot(
    engine: Engine, reference: Reference, tmp_path: Path
) -> None:
    actual = rendered(engine, reference.html, "png")
    assert_same(opened(actual), opened(reference.png), tmp_path)


@pytest.mark.one_in(4)
def test_webp_has_the_pixels_of_playwrights_screenshot(
    engine: Engine, file_reference: FileReference, tmp_path: Path
) -> None:
    actual = rendered(engine, file_reference.html, "webp")
    assert_same(opened(actual), opened(file_reference.png), tmp_path)


@pytest.mark.dedicated
def test_a_page_that_was_used_before_draws_the_same(
    kept_engine: Engine, reference: Reference, tmp_path: Path
) -> None:
    """One context for the whole corpus, printed between; `--isolation key`: for all tests.

    Each picture is one after the page before was printed.
    """
    actual = rendered(kept_engine, reference.html, "png")
    assert_same(opened(actual), opened(reference.png), tmp_path)
    rendered(kept_engine, reference.html, "pdf")


@pytest.mark.one_in(4)
def test_jpeg_has_the_pixels_of_playwrights_jpeg_of_quality_80(
    engine: Engine, file_reference: FileReference, tmp_path: Path
) -> None:
    actual = rendered(engine, file_reference.html, "jpeg")
    assert_same(opened(actual), opened(file_reference.jpeg), tmp_path)


@pytest.mark.one_in(4)
def test_pdf_has_the_pages_of_playwrights_pdf(
    engine: Engine, file_reference: FileReference, tmp_path: Path
) -> None:
    expected = pypdfium2.PdfDocument(file_reference.pdf)
    actual = pypdfium2.PdfDocument(rendered(engine, file_reference.html, "pdf"))
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.get_size() == pytest.approx(theirs.get_size(), abs=0.5)
        ours_drawn, theirs_drawn = (
            side.render().to_pil().convert("RGB") for side in (ours, theirs)
        )
        if file_reference.stem in WITH_A_CURSOR:
            assert ours_drawn.size == theirs_drawn.size
            left, _, right, _ = (
                ImageChops.difference(ours_drawn, theirs_drawn).getbbox() or (0,) * 4
            )
            assert right - left <= 1
        else:
            assert_same(ours_drawn, theirs_drawn, tmp_path)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("size", [(375, 667), (1, 1), (1920, 1080), (1281, 719)])
@pytest.mark.parametrize("stem", VIEWPORT_PAGES)
def test_other_viewports_match_too(
    engine: Engine, browser: Browser, stem: str, size: tuple[int, int], tmp_path: Path
) -> None:
    (path,) = [path for path in CORPUS if path.stem == stem]
    html = path.read_text()
    with shown(browser, html, *size) as page:
        expected = opened(page.screenshot())
    actual = rendered(engine, html, "png", width=size[0], height=size[1])
    assert_same(opened(actual), expected, tmp_path)


@pytest.mark.parametrize("stem", URL_PAGES)
def test_pages_of_urls_match_too(
    engine: Engine, browser: Browser, stem: str, tmp_path: Path
) -> None:
    (path,) = [path for path in CORPUS if path.stem == stem]
    html = path.read_text()
    with running_site("127.0.0.2", {"/page": html}) as site:
        url = f"{site.url}/page"
        with shown(browser, html, url=url) as page:
            expected = opened(page.screenshot())
        actual = engine.render(request_for(engine, url=url, format="png")).data
    assert_same(opened(actual), expected, tmp_path)


def test_one_wrong_pixel_is_found(tmp_path: Path) -> None:
    right = Image.new("RGB", (40, 40), "white")
    wrong = right.copy()
    wrong.putpixel((7, 9), (255, 255, 254))
    with pytest.raises(pytest.fail.Exception, match=r"1 pixels differ, within \(7, 9, 8, 10\)"):
        assert_same(wrong, right, tmp_path)


@pytest.mark.dedicated
def test_no_two_pages_of_the_corpus_look_alike(
    reference: Reference, stems: dict[bytes, str]
) -> None:
    assert stems.setdefault(reference.png, reference.stem) == reference.stem


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 60
