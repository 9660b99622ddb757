"""The names of a batch's files."""

import unicodedata
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.batch.names import FIELDS, RESERVED, BadName, Template, name_all

TEMPLATES = [
    "{stem}.{ext}",
    "{n:04}-{stem}.{ext}",
    "{host}/{path}.{ext}",
    "{path}{query}",
    "{query}/x",
]


@pytest.mark.parametrize(
    ("template", "source", "name"),
    [
        ("{stem}.{ext}", "pages/a.html", "a.png"),
        ("{stem}.{ext}", "release-1.2", "release-1.2.png"),
        ("{stem}.{ext}", "https://example.com/docs/api.html?x=1", "api.png"),
        ("{stem}.{ext}", "https://example.com/docs/", "docs.png"),
        ("{stem}.{ext}", "https://example.com", "example.com.png"),
        ("{n:04}-{stem}.{ext}", "a.html", "0007-a.png"),
        (
            "{host}/{path}.{ext}",
            "https://example.com:8080/docs/",
            "example.com-8080/docs/index.png",
        ),
        ("{host}/{path}.{ext}", "https://example.com/a/b.html", "example.com/a/b.png"),
        ("{path}.{ext}", "../../etc/a.html", "etc/a.png"),
        ("{path}.{ext}", "https://example.com/..%2f..%2fetc/passwd", "etc/passwd.png"),
        ("{stem}{query}.{ext}", "https://example.com/a?p=1/2", "ap=1-2.png"),
        ("{stem}.{ext}", ".hidden.html", "_hidden.png"),
        ("{stem}.{ext}", "http://[bad", "[bad.png"),
    ],
)
def test_a_template_names_a_page(template: str, source: str, name: str) -> None:
    assert Template(template).name(source, 7, "png") == name


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{foo}.png", "{foo} is not known"),
        ("{stem.__class__}", "is not known"),
        ("{n!r}", "{n!r} is not known"),
        ("{stem:>9}", "only n has a width"),
        ("{n:>9}", "only n has a width"),
        ("{stem", "is not valid"),
        ("../{stem}", "inside of the folder"),
        ("/tmp/{stem}", "inside of the folder"),
        ("a//{stem}", "inside of the folder"),
        ("{stem}/", "inside of the folder"),
        ("", "inside of the folder"),
        (".farm/{stem}", "inside of the folder"),
        ("a\0{stem}", "no NUL"),
    ],
)
def test_what_is_no_template_is_told(template: str, says: str) -> None:
    with pytest.raises(BadName, match="--name") as caught:
        Template(template)
    assert says in str(caught.value)


@given(
    st.sampled_from(TEMPLATES),
    st.one_of(
        st.text(), st.text().map("https://example.com/{}".format), st.text().map("http://{}".format)
    ),
)
def test_whatever_a_page_is_called_its_file_is_below_the_folder(template: str, source: str) -> None:
    name = Template(template).name(source, 1, "png")
    assert not PurePosixPath(name).is_absolute()
    segments = name.split("/")
    assert not {"", ".", "..", RESERVED} & set(segments)
    assert not any(unicodedata.category(char) == "Cc" for char in name)
    # The file system takes it.
    (Path("/proc/self") / name).exists()


@given(st.sampled_from(list(FIELDS)), st.text())
def test_what_is_no_template_raises_nothing_else(field: str, text: str) -> None:
    with suppress(BadName):
        Template(f"{text}{{{field}}}{text}").name("a.html", 1, "png")


@given(st.lists(st.text(min_size=1)))
def test_no_two_pages_have_one_name_and_none_is_lost(sources: list[str]) -> None:
    named = name_all(Template("{n}-{stem}"), sources, "png")
    assert list(named.values()) == list(dict.fromkeys(sources))


def test_pages_of_one_name_are_all_told() -> None:
    sources = [f"{folder}/index.html" for folder in "abcdefgh"]
    with pytest.raises(BadName) as caught:
        name_all(Template("{stem}.{ext}"), sources, "png")
    assert "index.png: a/index.html and b/index.html" in str(caught.value)
    assert "and 2 more" in str(caught.value)


def test_the_suffix_of_all_names_is_known() -> None:
    assert Template("{stem}.WebP").suffix == "webp"
    assert Template("{stem}.{ext}").suffix == ""
    assert Template("{stem}").suffix == ""
