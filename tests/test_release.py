"""What `make release` refuses before it builds anything."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository that is ready for 1.2.0, but for a Python to build it with."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "farm").mkdir()
    shutil.copy(ROOT / "conf/release", tmp_path / "conf")
    (tmp_path / "farm/__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- New.\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    own = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Something")


def release(folder: Path, version: str) -> str:
    done = subprocess.run(
        ["conf/release", version], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("version", ["", "1", "1.2", "1.2.0.1", "v1.2.0", "1..0", "1.2.0-rc1"])
def test_a_version_has_three_numbers(checkout: Path, version: str) -> None:
    assert "VERSION=1.2.0" in release(checkout, version)


def test_what_is_not_committed_is_not_released(checkout: Path) -> None:
    (checkout / "new").touch()
    assert "has changes" in release(checkout, "1.2.0")


def test_a_version_is_released_once(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.0")
    assert "v1.2.0 exists" in release(checkout, "1.2.0")


def test_the_package_has_the_version(checkout: Path) -> None:
    assert 'write __version__ = "1.3.0"' in release(checkout, "1.3.0")


def test_the_changelog_has_the_version(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("## Unreleased\n\n## 1x2.0\n")
    commit(checkout)
    assert "no section '## 1.2.0'" in release(checkout, "1.2.0")


def test_what_is_ready_is_built(checkout: Path) -> None:
    """There is no Python here to do it."""
    assert ".venv/bin/python" in release(checkout, "1.2.0")
