"""All that conf/kubernetes names of the farm exists: settings, secrets, ports, routes, metrics."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

from farm.job import QueueFigures
from farm.metrics import exposition
from farm.settings import Settings
from farm.settings.settings import _SECRETS, variable_name
from farm.storage import _VARIABLE_PREFIXES
from tests.kubernetes.manifests import (
    HERE,
    Object,
    containers,
    everything,
    many_machines,
    of_kind,
    pods,
    settings,
)

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ROUTES = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]


def test_every_variable_is_a_setting_or_the_storages(as_a_pod: Settings) -> None:
    """The farm itself refuses what is no setting of its own."""
    assert as_a_pod.metrics_port
    others = [name for name in settings() if not name.startswith("FARM_")]
    assert all(name.startswith(tuple(_VARIABLE_PREFIXES.values())) for name in others)


def test_every_secret_is_a_setting_where_the_farm_reads_it_and_compose_has_it() -> None:
    known = {variable_name(field).lower() for field in Settings.model_fields}
    items = list(everything(list(pods().values()), "items"))
    keys = {item["key"] for group in items for item in group}
    assert keys == {item["path"] for group in items for item in group}
    assert keys <= known & set(COMPOSE["secrets"])
    for _, container in containers():
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert places["secrets"] == str(_SECRETS[1])


def test_pods_have_the_secrets_that_compose_gives_them() -> None:
    for name, pod in pods().items():
        keys = {item["key"] for group in everything(pod, "items") for item in group}
        assert keys == set(COMPOSE["services"][name]["secrets"])


def test_how_secrets_are_made_is_in_the_docs() -> None:
    text = (ROOT / "docs/deploy.md").read_text()
    objects = many_machines()
    names = {secret["name"] for secret in everything(objects, "secret")}
    names |= {secret["name"] for secret in everything(objects, "secretRef")}
    credentials = list(everything(objects, "credentials"))
    names |= {one["name"] for one in credentials}
    keys = {item["key"] for group in everything(objects, "items") for item in group}
    for word in names | keys | {one["key"] for one in credentials}:
        assert re.search(rf"\b{word}\b", text), word


def test_ports_are_those_that_the_farm_listens_on(as_a_pod: Settings) -> None:
    listens = {"renderer": as_a_pod.port, "worker": as_a_pod.metrics_port}
    for name, container in containers():
        assert [port["containerPort"] for port in container["ports"]] == [listens[name]]
    assert {port for ports in everything(of_kind("Service"), "ports") for port in _open(ports)} == {
        *listens.values()
    }
    for policy in of_kind("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            component = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            assert _open(rule["ports"]) == [listens[component]]


def _open(ports: list[Object]) -> list[int]:
    return [port["port"] for port in ports]


def test_probes_and_scrapes_ask_routes_that_there_are() -> None:
    objects = many_machines()
    paths = {one["path"] for one in everything(objects, "httpGet")}
    paths |= {one["path"] for ends in everything(objects, "endpoints") for one in ends}
    commands = " ".join(word for words in everything(objects, "command") for word in words)
    asked = re.search(r"HTTPConnection\('127.0.0.1', (\d+).*?'GET', '([^']+)'", commands)
    assert asked
    assert int(asked[1]) == Settings.model_fields["port"].default
    assert paths | {asked[2]} <= set(ROUTES)
    # A worker answers nothing else: farm/metrics/exposition.py.
    assert {one["path"] for one in everything(pods()["worker"], "httpGet")} == {"/metrics"}


class Queue:
    def figures(self) -> QueueFigures:
        return QueueFigures("renders", 1, 1.0, 1)


def exported() -> set[str]:
    text = exposition.text(Queue()).decode()  # type: ignore[arg-type]
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


def test_workers_are_scaled_by_figures_that_the_farm_exports() -> None:
    queries = list(everything(of_kind("ScaledObject"), "query"))
    asked = {name for query in queries for name in re.findall(r"farm_\w+", query)}
    scaler = yaml.safe_load((HERE / "components/hpa/horizontal-pod-autoscaler.yaml").read_text())
    assert asked == {metric["name"] for metric in everything(scaler, "metric")}
    assert asked <= exported()
    target = of_kind("ScaledObject")[0]["spec"]["scaleTargetRef"]["name"]
    assert "replicas" not in next(
        one["spec"] for one in of_kind("Deployment") if one["metadata"]["name"] == target
    )


def test_the_alerts_are_those_of_the_one_file() -> None:
    rules = of_kind("PrometheusRule")[0]["spec"]
    assert rules == yaml.safe_load((ROOT / "conf/alerts.yml").read_text())
    script = [sys.executable, str(HERE / "prometheus_rule.py"), "--check"]
    assert subprocess.run(script, timeout=60).returncode == 0


def test_jobs_have_the_names_by_which_alerts_know_them() -> None:
    jobs = yaml.safe_load((ROOT / "conf/prometheus.yml").read_text())["scrape_configs"]
    services = {one["metadata"]["name"]: one for one in of_kind("Service")}
    found = set()
    for monitor in of_kind("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        for service in services.values():
            labels = service["metadata"]["labels"]
            if wanted <= labels.items():
                found.add(labels[monitor["spec"]["jobLabel"]])
                ports = {port["name"] for port in service["spec"]["ports"]}
                assert {end["port"] for end in monitor["spec"]["endpoints"]} <= ports
    assert found == {job["job_name"] for job in jobs}
