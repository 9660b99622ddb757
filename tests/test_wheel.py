"""The wheel has all that the farm needs. `python -m tests.release` installs and uses one."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import farm

pytestmark = pytest.mark.dedicated

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built of a copy, since setuptools writes beside what it builds."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "farm", source / "farm", ignore=shutil.ignore_patterns("__pycache__"))
    # What pip would call, without pip.
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, timeout=120)
    (file,) = out.glob("*.whl")
    return zipfile.ZipFile(file)


def test_it_has_every_file_of_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """A new package or kind of file belongs into setup.cfg: `packages`, `package_data`."""
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "farm").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    own = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert own == files


def test_it_says_its_version_its_command_and_its_license(wheel: zipfile.ZipFile) -> None:
    info = f"render_farm-{farm.__version__}.dist-info"
    assert f"Version: {farm.__version__}\n" in wheel.read(f"{info}/METADATA").decode()
    assert "farm = farm.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
