"""`farm plan`."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farm.commands.plan import plan


def run(*arguments: str) -> Result:
    return CliRunner().invoke(plan, arguments)


def test_it_prints_the_machines_and_the_day() -> None:
    result = run("--per-day", "20000", "--curve", "flat", "--jobs", "10")
    assert result.exit_code == 0, result.output
    assert "farm serve" in result.output
    assert result.output == run("--per-day", "20000", "--curve", "flat", "--jobs", "10").output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--mix", "huge=1"], "'huge' is none of the kinds"),
        (["--curve", "weekly"], "24 numbers"),
        (["--p95", "0.05"], "There is no such plan: no number of machines has a p95 of 0.05 s"),
        (["--metrics", "/nowhere"], "--metrics: /nowhere cannot be read"),
        (["--cpu-ms", "100"], "--cpu-ms needs --metrics"),
        (["--per-day", "0"], "--per-day"),
        (["--per-day", "nan"], "'nan' is not a number"),
        (["--burst", "inf"], "'inf' is not a number"),
        (["--deadline", "0.5"], "% of the renders take longer on an idle machine than the"),
    ],
)
def test_what_cannot_be_planned_says_why(arguments: list[str], problem: str) -> None:
    result = run("--per-day", "1000", *arguments)
    assert result.exit_code != 0
    assert problem in " ".join(result.output.split())


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    result = run("--per-day", "1000", "--curve", "flat", "--plot", str(tmp_path / "day.gif"))
    assert result.exit_code == 1
    assert ".svg or .png" in result.output


def test_it_needs_none_of_the_servers_packages() -> None:
    code = "import sys, farm.commands.plan; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in modules.stdout.split()}
    assert not loaded & {
        "falcon",
        "gunicorn",
        "playwright",
        "redis",
        "pydantic",
        "prometheus_client",
    }
