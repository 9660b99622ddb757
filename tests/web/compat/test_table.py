"""The tables of docs/migrating.md."""

from pathlib import Path

import pytest

from farm.web import compat
from farm.web.compat.table import Mapped, with_tables

_PAGE = "before\n<!-- fields: theirs -->\nold\n<!-- end -->\nafter\n"


def test_a_table_is_written_anew_in_its_place() -> None:
    page = with_tables(_PAGE, {"theirs": [Mapped("a|b", "`width`", "none")]})
    assert page == (
        "before\n<!-- fields: theirs -->\n| theirs | here | difference |\n|---|---|---|\n"
        "| `a\\|b` | `width` | none |\n<!-- end -->\nafter\n"
    )


def test_a_table_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="others"):
        with_tables(_PAGE, {"theirs": [], "others": []})


def test_the_page_is_up_to_date() -> None:
    page = (Path(__file__).parents[3] / "docs" / "migrating.md").read_text()
    assert with_tables(page, compat.TABLES) == page
