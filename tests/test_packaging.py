"""What is installed without an extra is enough for the client and the command line."""

import configparser
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.farm_process import Farm, environment

SETUP = Path(__file__).parents[1] / "setup.cfg"
#: Runs with the packages of the base alone; prints what each command says.
SCRIPT = """
import json, sys

blocked = set(json.loads(sys.argv[1]))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())

from click.testing import CliRunner
from farm.cli import main

def run(*arguments):
    result = CliRunner().invoke(main, arguments)
    return {"code": result.exit_code, "says": result.output}

said = {" ".join(words): run(*words) for words in json.loads(sys.argv[2])}

from farm.client import Farm

with Farm(sys.argv[3]) as farm:
    said["rendered"] = farm.render(markdown="# Hello", format="pdf").content_type
print(json.dumps(said))
"""
NEEDS_SERVER = ["serve", "worker", "dashboard", "doctor", "contract docs", "render - -o x.png"]


def required() -> list[Requirement]:
    config = configparser.ConfigParser()
    config.read(SETUP)
    lines = config["options"]["install_requires"].splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def distribution_names(requirements: list[Requirement]) -> set[str]:
    """Of the requirements, and of all that they require in turn."""
    found: set[str] = set()
    while requirements:
        requirement = requirements.pop()
        name = _normal(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        requirements += map(Requirement, metadata.requires(name) or ())
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_base_has_all_that_the_client_and_the_command_line_import(farm: Farm) -> None:
    base = distribution_names(required()) | {"render-farm"}
    packages = metadata.packages_distributions().items()
    blocked = [name for name, owners in packages if base.isdisjoint(map(_normal, owners))]
    assert {"falcon", "playwright", "redis", "structlog"} <= set(blocked)
    link = ["link", "https://example.com/", "--timezone", "Europe/Zurich", "--pdf", "{}"]
    plan = ["plan", "--per-day", "1000", "--curve", "flat"]
    works = [["--version"], ["--help"], ["render", "--help"], ["settings"], plan]
    works.append([*link, "--format=pdf"])
    commands = [*works, *(command.split() for command in NEEDS_SERVER)]
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(blocked), json.dumps(commands), farm.url],
        env=environment(link_key="k" * 32),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    said = json.loads(finished.stdout)
    assert said.pop("rendered") == "application/pdf"
    for command in works:
        assert said[" ".join(command)]["code"] == 0, said[" ".join(command)]
    for line in NEEDS_SERVER:
        name = line.split()[0]
        assert said[line]["code"] == 1
        assert re.fullmatch(
            rf"Error: farm {name} needs the package \w+: pip install 'render-farm\[server\]'\n",
            said[line]["says"],
        ), said[line]


def test_setup_names_every_package() -> None:
    config = configparser.ConfigParser()
    config.read(SETUP)
    named = set(config["options"]["packages"].split())
    root = SETUP.parent
    there = {
        ".".join(path.parent.relative_to(root).parts)
        for path in (root / "farm").rglob("__init__.py")
    }
    assert named == there
