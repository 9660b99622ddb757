"""Markdown, and the HTML that it becomes."""

import pytest

from farm.markdown.document import to_document


def body(markdown: str) -> str:
    return to_document(markdown).partition("<main>\n")[2].partition("</main>")[0]


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("a *b* **c**", "<p>a <em>b</em> <strong>c</strong></p>"),
        ("|a|b|\n|-|-:|\n|1|2|", '<th style="text-align:right">b</th>'),
        ("~~gone~~", "<s>gone</s>"),
        ("see https://a.example/b.", '<a href="https://a.example/b">https://a.example/b</a>.'),
        ("- [x] done\n- [ ] not", 'checked="checked"'),
        ("a[^1]\n\n[^1]: note", '<section class="footnotes">'),
        ("<b>raw</b>\n\n<div id=x>block</div>", "<b>raw</b></p>\n<div id=x>block</div>"),
        ("<script>a < b</script>", "<script>a < b</script>"),
        ("# One & two\n# One & two", '<h1 id="one--two-1">One &amp; two</h1>'),
        ("```python\nif x: pass\n```", '<span class="k">if</span>'),
        ("```nosuchlanguage\n<b>\n```", "&lt;b&gt;"),
        ("    <b>", "<pre><code>&lt;b&gt;"),
    ],
)
def test_it_is_read_as_github_reads_it(markdown: str, html: str) -> None:
    assert html in body(markdown)


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        ("text\n\n## A `<b>` *bold* & [link](x) <i>\n\n# Other", "A &lt;b&gt; bold &amp; link"),
        ("a </title> b\n===", "a b"),
        ("# " + "x" * 1000, "x" * 300),
        ("a\nb\n===", "a b"),
    ],
)
def test_the_first_heading_is_the_title(markdown: str, title: str) -> None:
    assert f"<title>{title}</title>" in to_document(markdown)


def test_without_a_heading_there_is_no_title() -> None:
    assert "<title>" not in to_document("text")


def test_a_byte_order_mark_is_no_text() -> None:
    assert '<h1 id="a">' in body("\ufeff# a")


def test_text_that_is_read_from_right_to_left_begins_at_the_right() -> None:
    html = body("# مرحبا\n\nنص\n\n- نص\n\n  نص\n\n> نص\n\n|نص|\n|-|\n\nنص[^1]\n\n[^1]: نص")
    for start in ('<h1 id="مرحبا"', "<p", "<ul", "<blockquote", "<table"):
        assert f'{start} dir="auto"' in html
    # `dir=auto` ignores the text of elements within that have a direction of their own.
    assert '<blockquote dir="auto">\n<p>نص' in html
    assert '<ul dir="auto">\n<li>\n<p>نص' in html
    assert html.count('<p dir="auto">') == 3
    assert "dir=" not in body("# Hi\n\n- 日本語 ไทย 😀")


def test_an_author_who_sets_a_direction_sets_all() -> None:
    assert "auto" not in body('<div dir="rtl">\n\nHTML نص\n\n- 1\n\n</div>')


def test_very_long_code_is_not_highlighted() -> None:
    many = "```python\n" + "(" * 600_000 + "\n```\n"
    assert "<span" not in body(many)
    assert "<span" in body(many + "```python\n()\n```\n")
