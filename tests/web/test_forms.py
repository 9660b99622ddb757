"""Forms: what clients send is read back, and what is malformed is an error at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from farm.errors import InvalidRequest
from farm.web.forms import MAX_PARTS, Form, Part, parse_form

TYPE = "multipart/form-data; boundary=B"
HEAD = b'Content-Disposition: form-data; name="a"\r\n'
VALID = b"--B\r\n" + HEAD + b"\r\none\r\n--B--\r\n"


def form(*parts: bytes) -> Form:
    return parse_form(encoded(*parts), TYPE)


def encoded(*parts: bytes) -> bytes:
    return b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"


def disposition(parameters: str, data: bytes = b"", more: str = "") -> bytes:
    return f"Content-Disposition: form-data; {parameters}\r\n{more}\r\n".encode() + data


def wrong(body: bytes, content_type: str = TYPE) -> str:
    with pytest.raises(InvalidRequest) as info:
        parse_form(body, content_type)
    return str(info.value)


# HTML writes a quote as %22, so that nobody can tell it from these three characters.
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(
    lambda text: text.replace("%", "")
)
types = st.sampled_from([None, "image/png", "text/html; charset=utf-8", "application/json"])
fields = st.builds(
    RequestField,
    name=names,
    data=st.binary(max_size=200) | st.sampled_from([b"\r\n", b"\r\n--", b"--B--\r\n", b"\r"]),
    filename=st.none() | names.map(lambda name: name.rpartition("\\")[2]),
)


@st.composite
def forms(draw: st.DrawFn) -> tuple[tuple[Part, ...], bytes, str]:
    sent = draw(st.lists(st.tuples(fields, types), max_size=6))
    parts = []
    for part, content_type in sent:
        part.make_multipart(content_type=content_type)
        assert isinstance(part.data, bytes)
        charset = "utf-8" if "charset" in (content_type or "") else None
        parts.append(Part(part._name, part._filename, content_type, part.data, charset))
    body, content_type = encode_multipart_formdata([part for part, _ in sent])
    return tuple(parts), body, content_type


@given(forms())
def test_what_a_client_library_sends_is_read_back(
    sent: tuple[tuple[Part, ...], bytes, str],
) -> None:
    parts, body, content_type = sent
    assert parse_form(body, content_type).parts == parts


def read_all(body: bytes, content_type: str) -> None:
    try:
        for part in parse_form(body, content_type).parts:
            assert isinstance(part.text, str)
    except InvalidRequest:
        pass


@given(st.binary(), st.text())
def test_any_bytes_are_a_form_or_an_error(body: bytes, content_type: str) -> None:
    read_all(body, TYPE)
    read_all(b"--B\r\n" + body, TYPE)
    read_all(b"--B\r\nContent-Disposition: form-data; " + body, TYPE)
    read_all(VALID, content_type)


PIECES = [b"--B", b"--", b"\r\n", b"\r", b"\n", b'"', b"\\", b";", b"=", b":", b"*=", b"\xff", b" "]


@given(forms(), st.data())
def test_a_form_that_was_damaged_is_a_form_or_an_error(
    sent: tuple[tuple[Part, ...], bytes, str], data: st.DataObject
) -> None:
    _, body, content_type = sent
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 30))
        put = data.draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        body = body[:at] + put + body[at + length :]
    read_all(body, content_type)


def test_fields_and_files_are_in_order() -> None:
    read = form(
        disposition('name="a"', b"one"),
        disposition('name="f"; filename="css/a.css"', b"x", "Content-Type: text/css\r\n"),
        disposition('name="a"', "zwölf".encode()),
        disposition('name="f"; filename=""'),
    )
    assert read.text("a") == "one"
    assert read.texts("a") == ("one", "zwölf")
    assert read.text("f") is None
    assert read.texts("b") == ()
    assert [(part.filename, part.content_type) for part in read.files] == [
        ("css/a.css", "text/css"),
        ("", None),
    ]


def test_a_form_may_be_empty() -> None:
    assert parse_form(b"--B--\r\n", TYPE).parts == ()
    assert parse_form(b"--B--", TYPE).parts == ()


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/form-data; charset=utf-8; boundary="a b:c"', "a b:c"),
        ("Multipart/Form-Data;BOUNDARY=----=_Part_1.2", "----=_Part_1.2"),
        ("multipart/form-data; boundary=" + 70 * "-", 70 * "-"),
    ],
)
def test_boundaries_are_read_as_clients_write_them(content_type: str, boundary: str) -> None:
    body = VALID.replace(b"--B", b"--" + boundary.encode())
    assert parse_form(body, content_type).text("a") == "one"


@pytest.mark.parametrize(
    "boundary", ["", "boundary", "boundary=", "boundary=" + 71 * "b", "boundary=ä", 'boundary="b "']
)
def test_a_boundary_must_be_named(boundary: str) -> None:
    assert "boundary, of 1 to 70" in wrong(VALID, f"multipart/form-data; {boundary}")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (r'filename="a\"b.png"', 'a"b.png'),
        ('filename="a%22b%0D%0A.png"', 'a"b\r\n.png'),
        ("filename=plain.png", "plain.png"),
        (r'filename="C:\Users\me\a.png"', "a.png"),
        (r'filename="\\server\share\a.png"', "a.png"),
        (r'filename="dir\a.png"', "a.png"),
        ("filename*=UTF-8''na%C3%AFve.png", "naïve.png"),
        ("filename*=utf-8'de'a.png; filename=\"=?utf-8?B?YQ==?=\"", "a.png"),
        ("filename=\"x; filename*=UTF-8''y\"", "x; filename*=UTF-8''y"),
        ("FileName=a.png", "a.png"),
    ],
)
def test_file_names_are_read_as_clients_write_them(parameters: str, name: str) -> None:
    read = form(disposition(f'name="f"; {parameters}'))
    assert [part.filename for part in read.files] == [name]


@pytest.mark.parametrize(
    "value", ["", "a.png", "UTF-8''%FF", "ISO-8859-1''%E4", "UTF-8''%", "UTF-8''%4", "UTF-8''a b"]
)
def test_extended_file_names_must_be_utf8(value: str) -> None:
    body = encoded(disposition(f'name="f"; filename*={value}'))
    assert "filename*" in wrong(body)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "does not have the boundary"),
        (b"a=b", "does not have the boundary"),
        (VALID.replace(b"\r\n", b"\n"), "Part 1 of the form is malformed"),
        (VALID[:-2].rstrip(b"-"), "cut off"),
        (VALID[:40], "Part 1 of the form is malformed|cut off"),
        (VALID[:50], "cut off"),
        (b"x" + VALID, "Part 1 of the form is malformed"),
        (VALID.replace(b"one\r\n--B--", b"one\r\n--Bxx"), "Part 1 of the form does not end"),
        (VALID.replace(b"one\r\n--B--", b"one\r\n--Bgarbage\r\n--B--"), "Part 1 .* does not end"),
        (VALID[:-4] + b"\r\nx\r\n\r\n\r\n--B--", "Part 2 of the form is malformed"),
        (encoded(b"\r\nx"), "Part 1 of the form is malformed"),
        (b"--B\r\n" + HEAD + b"\r\n" + VALID, "Part 1 of the form does not end"),
        (encoded(b'Content-Disposition: attachment; name="a"\r\n\r\nx'), "Part 1 .* malformed"),
        (encoded(disposition('filename="a"')), "Part 1 of the form is malformed"),
        (encoded(HEAD + b"\r\nx", b"no header\r\n\r\nx"), "Part 2 of the form is malformed"),
        (encoded(HEAD + b"X: \xff\r\n\r\nx"), "Part 1 of the form is malformed"),
        (encoded(HEAD + b"Content-Length: 7\r\n\r\nx"), "Part 1 of the form does not end"),
        (encoded(HEAD + 8 * b"X: y\r\n" + b"\r\nx"), "too large a header"),
        (encoded(disposition(f'name="{2_100 * "a"}"')), "too large a header"),
        (b"--B\r\nX: " + 5_000 * b"a", "too large a header"),
        (encoded(disposition(f'name="{501 * "a"}"')), "Part 1 of the form has too long a name"),
        (encoded(disposition(f'name=a; filename="{501 * "a"}"')), "too long a name"),
        (encoded(*[HEAD + b"\r\n"] * (MAX_PARTS + 1)), "more than 1,000 parts"),
        (encoded(*[HEAD + b"X: " + 2_000 * b"x" + b"\r\n\r\n"] * 600), "too large together"),
        (
            encoded(disposition("name=a", b"YQ==", "Content-Transfer-Encoding: base64\r\n")),
            "^a: must be sent as it is",
        ),
    ],
)
def test_what_is_malformed_is_told(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        parse_form(body, TYPE)


def test_as_many_parts_as_allowed_pass() -> None:
    assert len(form(*[HEAD + b"\r\n"] * MAX_PARTS).parts) == MAX_PARTS


@pytest.mark.parametrize("content_type", ["text/plain", "text/html; charset=UTF-8"])
def test_text_is_utf8(content_type: str) -> None:
    more = f"Content-Type: {content_type}\r\n"
    assert form(disposition("name=a", b"\xef\xbb\xbf\xc3\xa4", more)).text("a") == "ä"
    with pytest.raises(InvalidRequest, match=r"^a: must be UTF-8; byte 1 is wrong"):
        form(disposition("name=a", b"x\xe4", more)).text("a")


def test_another_charset_is_refused_and_not_guessed() -> None:
    more = "Content-Type: text/plain; charset=iso-8859-1\r\n"
    with pytest.raises(InvalidRequest, match=r"^a: must be UTF-8; its Content-Type names another"):
        form(disposition("name=a", b"plain", more)).text("a")
