"""What the header and the footer of a PDF may be."""

import pytest
from pydantic_core import PydanticCustomError

from farm.request.templates import check_template

DATA = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    "html",
    [
        "text",
        "<b class=title style='color: red'></b> <a href='https://example.org/'>link</a>",
        f"<img src='{DATA}'><img src=' DATA:image/png,'><b style='background: url({DATA})'>",
        f"<style>@font-face {{ src: url( '{DATA}' ) }} b {{ clip-path: url(#c) }}</style>",
        "<svg><use href='#mark'/></svg><p>https://example.org and user@import.example",
        "<style>b::before { content: '\\2022 \\'' } /* @import 'x'; url(x) */</style>",
        "<b style='background: url()'>a < b &amp; c</b>",
        "<p title='@import'>me@imported.example</p><b alt='url(x)'></b",
    ],
)
def test_what_loads_nothing_may_be(html: str) -> None:
    assert check_template(html) == html


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ("<link rel=stylesheet href=x.css>", "link"),
        ("<LINK rel=preconnect href=//a.example>", "link"),
        ("<script>1</script>", "script"),
        ("<iframe srcdoc=x></iframe>", "iframe"),
        ("<base href=http://a.example>", "base"),
        ("<object data=x></object>", "object"),
        ("<img src=logo.png>", "img src"),
        ("<IMG SRC='https://a.example/x.png'>", "img src"),
        ("<img srcset='x.png 2x'>", "img srcset"),
        ("<video poster=x.png></video>", "video poster"),
        ("<body background=x.png>", "body background"),
        ("<svg><use href='x.svg#a'/></svg>", "use href"),
        ("<svg><image xlink:href='x.png'/></svg>", "image xlink:href"),
        ("<svg><rect clip-path='url(x.svg#a)'/></svg>", "url"),
        ("<style>@import 'x.css';</style>", "@import"),
        ("<style>@IMP\\4frt 'x.css';</style>", "@IMPOrt"),
        ("<style>b { background: url(x.png) }</style>", "url"),
        ("<b style='background: u\\72l(http://a.example)'>", "url"),
        ("<b style='background: url(&quot;http://a.example&quot;)'>", "url"),
        ("<b style='background: url/**/ (x)'><style>@import/**/url(x)</style>", "@import"),
        ("<svg><style>@import 'x'</style></svg>", "@import"),
        ("<style>@font-face { src: url(http://a.example/f) }", "url"),
    ],
)
def test_what_would_be_loaded_is_named(html: str, says: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        check_template(html)
    assert caught.value.message().startswith(f"must have nothing that is loaded ({says})")
