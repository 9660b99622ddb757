"""What a folder has of earlier runs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.batch.record import FolderInUse, Record


def test_a_file_is_done_until_it_or_what_it_was_made_of_changes(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        assert record.put("a/b.png", "digest", b"data")
    with Record(tmp_path) as record:
        assert record.is_done("a/b.png", "digest")
        assert not record.is_done("a/b.png", "another")
        assert not record.is_done("c.png", "digest")
    (tmp_path / "a/b.png").write_bytes(b"dat")
    with Record(tmp_path) as record:
        assert not record.is_done("a/b.png", "digest")
        assert record.foreign(["a/b.png"]) == []
    (tmp_path / "a/b.png").unlink()
    with Record(tmp_path) as record:
        assert not record.is_done("a/b.png", "digest")


@given(cut=st.integers(0, 300), left=st.binary(max_size=20))
def test_wherever_a_run_was_killed_no_half_file_counts(
    cut: int, left: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("out")
    with Record(folder) as record:
        for name in ("a.png", "b.png"):
            record.put(name, "digest", b"whole")
    written = (folder / ".farm/record").read_bytes()
    (folder / ".farm/record").write_bytes(written[:cut] + left)
    (folder / ".farm/part-7").write_bytes(b"ha")
    with Record(folder) as record:
        assert not list((folder / ".farm").glob("part-*"))
        for name in ("a.png", "b.png"):
            if not record.is_done(name, "digest"):
                record.put(name, "digest", b"whole")
    with Record(folder) as record:
        assert all(record.is_done(name, "digest") for name in ("a.png", "b.png"))


def test_a_line_without_its_file_does_not_count(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        record.put("a.png", "old", b"old picture")
        record.put("a.png", "new", b"new picture")
    # As if the run had been killed before the second file was renamed.
    (tmp_path / "a.png").write_bytes(b"old picture")
    with Record(tmp_path) as record:
        assert not record.is_done("a.png", "new")
        assert not record.is_done("a.png", "old")


def test_files_of_others_are_foreign(tmp_path: Path) -> None:
    (tmp_path / "mine.png").touch()
    (tmp_path / "link.png").symlink_to("/nowhere")
    with Record(tmp_path) as record:
        record.put("ours.png", "digest", b"x")
        names = ["mine.png", "link.png", "ours.png", "none.png"]
        assert record.foreign(names) == ["mine.png", "link.png"]


def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    with Record(tmp_path), pytest.raises(FolderInUse), Record(tmp_path):
        pass
    with Record(tmp_path):
        pass


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        pass
    assert not record.put("a.png", "digest", b"late")
    assert not (tmp_path / "a.png").exists()
    assert record.written == 0


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with Record(tmp_path) as record:
        with pytest.raises(OSError, match="directory"):
            record.put("a.png", "digest", b"x")
        with pytest.raises(OSError, match="long"):
            record.put("x" * 300, "digest", b"x")
        assert record.written == 0
        assert not list((tmp_path / ".farm").glob("part-*"))


def test_names_that_are_not_utf_8_are_kept(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        record.put("n\udce9m.png", "digest", b"x")
    with Record(tmp_path) as record:
        assert record.is_done("n\udce9m.png", "digest")
