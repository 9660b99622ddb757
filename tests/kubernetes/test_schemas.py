"""Kubernetes knows every object and field of conf/kubernetes."""

import functools
import os
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from tests.kubernetes.custom_resources import SCHEMAS
from tests.kubernetes.manifests import HERE, Object, build, many_machines

#: The versions that Kubernetes maintains.
VERSIONS = ("1.35.0", "1.36.0", "1.37.0")


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))


def check(one: Object, version: str) -> None:
    schema = SCHEMAS.get(one["kind"])
    if schema:
        jsonschema.validate(one, schema)
    else:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field_of_many_machines(version: str) -> None:
    for one in many_machines():
        check(one, version)


def test_the_base_needs_no_operator_and_the_farm_can_be_scaled_without_keda(tmp_path: Path) -> None:
    assert not {one["kind"] for one in build(HERE / "base")} & set(SCHEMAS)
    variant = {
        "resources": [os.path.relpath(HERE / "base", tmp_path)],
        "components": [os.path.relpath(HERE / "components/hpa", tmp_path)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(variant))
    scaler = next(one for one in build(tmp_path) if one["kind"] == "HorizontalPodAutoscaler")
    for version in VERSIONS:
        check(scaler, version)
    asked = {one["external"]["metric"]["name"] for one in scaler["spec"]["metrics"]}
    adapter = yaml.safe_load((HERE / "components/hpa/prometheus-adapter.yaml").read_text())
    assert asked == {rule["seriesQuery"] for rule in adapter["rules"]["external"]}


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    check(service, VERSIONS[0])
    with pytest.raises(kubernetes_validate.ValidationError):
        check(service | {"spec": {"prots": []}}, VERSIONS[0])
