"""`farm --version`."""

import re

import pytest
from click.testing import CliRunner

import farm
from farm.cli import main


def test_the_first_line_is_the_farms_and_the_second_its_chromiums() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    first, second = result.output.splitlines()
    assert first == f"farm {farm.__version__}"
    assert re.fullmatch(r"Chromium \d+\.[\d.]+ /.+", second)


@pytest.mark.parametrize("path", ["/none", "/bin/false"])
def test_without_a_chromium_it_says_so(path: str) -> None:
    result = CliRunner().invoke(main, ["--version"], env={"FARM_CHROMIUM_PATH": path})
    assert result.output.splitlines()[1] == "Chromium none (`farm doctor` tells more)"
