"""Starts coverage in every Python process of `make coverage`, which puts this folder in PYTHONPATH.

The egress proxy and the Markdown processes have little else of the farm's environment: the rest is
set here.
"""

import os
from pathlib import Path

import coverage

_ROOT = Path(__file__).parents[2]
os.environ["COVERAGE_PROCESS_START"] = str(_ROOT / "setup.cfg")
os.environ["COVERAGE_FOLDER"] = str(_ROOT / "build" / "coverage")
coverage.process_startup()
