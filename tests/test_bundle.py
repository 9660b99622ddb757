"""Several files as one ZIP: where each is."""

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from farm.bundle import members, pack

NAMES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\.[a-z]{3,5}", fullmatch=True)
FILES = st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=10)


@given(FILES)
def test_each_member_is_at_its_computed_offset(files: dict[str, bytes]) -> None:
    bundle = pack(files.items())
    places = list(members((name, len(data)) for name, data in files.items()))
    assert {place.file_name: place.of(bundle) for place in places} == files


@given(FILES)
def test_any_reader_of_zips_reads_it(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(pack(files.items()))) as bundle:
        assert bundle.testzip() is None
        assert {name: bundle.read(name) for name in bundle.namelist()} == files


def test_the_same_files_have_the_same_bytes() -> None:
    files = [("a.png", b"1"), ("b.pdf", b"2")]
    assert pack(files) == pack(files)
