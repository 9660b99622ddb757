"""A type checker finds wrong options in a user's program."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """\
from farm.client import Farm

farm = Farm()
farm.render(html="x", full_page=True, pdf={"paper": "A5"}, fail_on={"status": [404, "5xx"]})
farm.submit(url="https://example.com/", webhook={"url": "https://example.com/"})
farm.render(html="x", assets={"a.png": b"", "b.css": ""}, outputs=[{"name": "a"}]).save("x.zip")
farm.render(html="x", full_pge=True)
farm.render(html="x", width="wide")
farm.render(html="x", pdf={"papr": "A5"})
farm.render(html="x", format="gif")
farm.link(html="x", report=True)
"""
FIRST_WRONG = 7


@pytest.mark.dedicated
def test_wrong_names_and_types_are_found_and_right_ones_are_not(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(program)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    errors = [line.split(":") for line in finished.stdout.splitlines() if ": error:" in line]
    wrong = range(FIRST_WRONG, len(PROGRAM.splitlines()) + 1)
    assert [int(error[1]) for error in errors] == list(wrong), finished.stdout + finished.stderr
