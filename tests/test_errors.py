"""The tree of errors against the contract, and against what is documented."""

from pathlib import Path

import pytest

from farm import errors
from farm.errors import FarmError, Unavailable

DOCS = Path(__file__).parents[1] / "docs"
CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, FarmError) and hasattr(value, "code")
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_says_something_a_person_can_read(error: type[FarmError]) -> None:
    assert error.sentence[0].isupper()
    assert error.sentence.endswith(".")


def test_every_code_is_one_errors_or_its_special_cases() -> None:
    codes = [error.code for error in CLASSES if "code" in vars(error)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_documented_and_drawn(error: type[FarmError]) -> None:
    row = f"| {error.status} | `{error.code}` |"
    assert row in (DOCS / "api.md").read_text()
    assert f"{error.status} {error.code}" in (errors.__doc__ or "")


@pytest.mark.parametrize("error", [error for error in CLASSES if issubclass(error, Unavailable)])
def test_a_503_says_when_to_come_back(error: type[Unavailable]) -> None:
    assert error(retry_after_s=3).retry_after_s == 3
