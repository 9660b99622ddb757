"""API keys: what may be set, and whose a key is."""

import re
import string
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.callers import ApiKeys

ANNAS = "annas-key-0123456789"
BOBS = "bobs:key=0123456789#"

NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=64)
KEYS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","),
    min_size=16,
    max_size=80,
)
#: Digits behind the last colon would be a weight.
NO_WEIGHT = KEYS.filter(lambda key: not re.search(r":[0-9]{1,9}$", key))
CALLERS = st.dictionaries(NAMES, NO_WEIGHT, min_size=1, max_size=8).filter(
    lambda callers: len(set(callers.values())) == len(callers)
)


@given(callers=CALLERS, other=NO_WEIGHT)
def test_each_key_is_known_by_its_name(callers: dict[str, str], other: str) -> None:
    keys = ApiKeys.parse(", ".join(f"{name}:{key}" for name, key in callers.items()))
    for name, key in callers.items():
        assert keys.name_of(key) == name
        assert keys.name_of(key + "x") in {None, *callers} - {name}
    if other not in callers.values():
        assert keys.name_of(other) is None


@given(callers=CALLERS, weight=st.integers(1, 100))
def test_a_weight_is_no_part_of_the_key(callers: dict[str, str], weight: int) -> None:
    keys = ApiKeys.parse(",".join(f"{name}:{key}:{weight}" for name, key in callers.items()))
    for name, key in callers.items():
        assert (keys.name_of(key), keys.weight_of(name)) == (name, weight)


def test_a_caller_without_a_weight_or_a_key_has_one() -> None:
    keys = ApiKeys.parse(f"anna:{ANNAS}:5,bob:{BOBS}")
    assert [keys.weight_of(name) for name in ("anna", "bob", "link:x", None)] == [5, 1, 1, 1]


@given(callers=CALLERS)
def test_a_file_says_the_same_as_a_variable(tmp_path: Path, callers: dict[str, str]) -> None:
    path = tmp_path / "keys"
    path.write_text("\n".join(f"{name}:{key}" for name, key in callers.items()))
    keys = ApiKeys.read(path)
    assert all(keys.name_of(key) == name for name, key in callers.items())


@given(text=st.text(max_size=200) | st.lists(NAMES | KEYS | st.sampled_from(":,")).map("".join))
def test_any_other_text_is_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert ApiKeys.parse(text).name_of("") is None


@given(
    key=KEYS, pair=st.sampled_from(["{}", "two words:{}", ":{}", "a:{0},a:{0}", "a:{} b", "a:{},"])
)
def test_no_sentence_and_no_repr_has_a_key_in_it(key: str, pair: str) -> None:
    # Long enough to be in a sentence by no accident.
    key += "0123456789abcdef"
    try:
        said = repr(ApiKeys.parse(pair.format(key)))
    except ValueError as exc:
        said = str(exc)
    assert key not in said


@pytest.mark.parametrize("key", ["", "x", ANNAS[:-1], ANNAS + " ", ANNAS.upper(), "ä" * 20])
def test_another_key_is_nobodys(key: str) -> None:
    assert ApiKeys.parse(f"anna:{ANNAS},bob:{BOBS}").name_of(key) is None


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        (ANNAS, "pair 1 is not name:key"),
        (f":{ANNAS}", "pair 1 has a name that"),
        (f"an na:{ANNAS}", "pair 1 has a name that"),
        (f"{'a' * 65}:{ANNAS}", "pair 1 has a name that"),
        ("anna:", "pair 1 has a key that is not"),
        (f"anna:{'x' * 15}", "pair 1 has a key that is not"),
        ("anna:sixteen and a space", "pair 1 has a key that is not"),
        ("anna:ümlauts-are-no-ascii", "pair 1 has a key that is not"),
        (f"anna:{ANNAS},anna:{BOBS}", "pair 2 has a name that was there before"),
        (f"anna:{ANNAS},bob:{ANNAS}", "pair 2 has a key that was there before"),
        (f"anna:{ANNAS}:0", "pair 1 has a weight that is not 1 to 100"),
        (f"anna:{ANNAS}:101", "pair 1 has a weight that is not 1 to 100"),
        (f"anna:{'x' * 15}:100", "pair 1 has a key that is not"),
        ("", "there is no key"),
        (" , ,", "there is no key"),
    ],
)
def test_it_refuses_what_is_no_list_of_keys(pairs: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ApiKeys.parse(pairs)


def test_every_wrong_pair_is_told() -> None:
    with pytest.raises(ValueError, match=r"pair 1 .*; pair 3 ") as caught:
        ApiKeys.parse(f"anna,bob:{BOBS},anna:short")
    assert "short" not in str(caught.value)


def test_a_file_may_have_blank_lines_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(
        b"\xef\xbb\xbf# who m\xe4y call\n\n"
        + f"anna:{ANNAS}\r\n  # bob too\n  bob:{BOBS}  \n".encode()
    )
    keys = ApiKeys.read(path)
    assert (keys.name_of(ANNAS), keys.name_of(BOBS)) == ("anna", "bob")


def test_a_wrong_line_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# callers\n\nanna:{ANNAS}\nbob:short\n")
    with pytest.raises(ValueError, match="line 4 has a key"):
        ApiKeys.read(path)


def test_it_refuses_a_file_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# nobody yet\n")
    with pytest.raises(ValueError, match="there is no key"):
        ApiKeys.read(path)


@pytest.mark.parametrize("name", ["missing", ".", "nul\0"])
def test_it_refuses_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="the file cannot be read"):
        ApiKeys.read(tmp_path / name)
