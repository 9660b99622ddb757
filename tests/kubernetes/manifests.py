"""What kustomize makes of conf/kubernetes; kubectl has a kustomize built in."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parents[2] / "conf/kubernetes"
_PROGRAMS = (["kustomize", "build"], ["kubectl", "kustomize"])

Object = dict[str, Any]


def build(folder: Path) -> list[Object]:
    """The objects of a kustomization; the test is skipped where no kustomize is there."""
    program = next((each for each in _PROGRAMS if shutil.which(each[0])), None)
    if program is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    done = subprocess.run([*program, str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def many_machines() -> list[Object]:
    return build(HERE / "overlays/many-machines")


def of_kind(kind: str) -> list[Object]:
    return [one for one in many_machines() if one["kind"] == kind]


def pods() -> dict[str, Object]:
    return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind("Deployment")}


def containers() -> Iterator[tuple[str, Object]]:
    for name, pod in pods().items():
        for container in pod["spec"]["containers"]:
            yield name, container


def everything(value: object, key: str) -> Iterator[Any]:
    """Each value that stands under that key, at any depth."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from everything(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner, key)


def settings() -> dict[str, str]:
    """The variables of the ConfigMap."""
    data: dict[str, str] = of_kind("ConfigMap")[0]["data"]
    return data
