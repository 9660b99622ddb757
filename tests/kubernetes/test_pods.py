"""What pods may do, how they end, and who reaches whom: as in compose, and as the farm needs it."""

import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import yaml

from farm.policy import addresses
from farm.settings import Settings
from tests.kubernetes.manifests import everything, many_machines, of_kind, pods

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_every_selector_finds_pods() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods().values()]
    selectors = list(everything(many_machines(), "matchLabels"))
    selectors += [one["spec"]["selector"] for one in of_kind("Service")]
    for selector in selectors:
        if "app.kubernetes.io/component" in selector:
            assert any(selector.items() <= one.items() for one in labels), selector


def test_nothing_is_killed_before_the_farm_has_ended_it(as_a_pod: Settings) -> None:
    margin_s = 10
    grace = {name: pod["spec"]["terminationGracePeriodSeconds"] for name, pod in pods().items()}
    paused_s = sum(one["sleep"]["seconds"] for one in everything(pods()["renderer"], "preStop"))
    assert grace["renderer"] >= paused_s + as_a_pod.stop_grace_s + margin_s
    assert grace["worker"] >= as_a_pod.job_grace_s + margin_s
    probe = next(everything(pods()["renderer"], "livenessProbe"))
    stands_still_s = as_a_pod.render_deadline_s + 30  # farm/gunicorn_conf.py
    assert probe["periodSeconds"] * probe["failureThreshold"] > 2 * stands_still_s


class Unwell(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)


def test_a_farm_that_answers_503_is_alive_and_one_that_does_not_answer_is_dead() -> None:
    python, *command = next(everything(pods()["renderer"], "livenessProbe"))["exec"]["command"]
    assert python == "python"
    with HTTPServer(("127.0.0.1", 0), Unwell) as server:
        Thread(target=server.handle_request).start()
        command = [
            sys.executable,
            *(word.replace("3000", str(server.server_port)) for word in command),
        ]
        assert subprocess.run(command, timeout=30).returncode == 0
    assert subprocess.run(command, timeout=30, capture_output=True).returncode != 0


def test_pods_are_as_confined_as_in_compose() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user
    for name, pod in pods().items():
        spec, context = pod["spec"], pod["spec"]["securityContext"]
        assert context["runAsNonRoot"]
        assert [context["runAsUser"], context["runAsGroup"]] == [int(user[1]), int(user[2])]
        assert context["seccompProfile"]["type"] == "Localhost"
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        limits = COMPOSE["services"][name]["deploy"]["resources"]["limits"]
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"]
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert own["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"] == {
                "cpu": limits["cpus"],
                "memory": limits["memory"].upper() + "i",
            }


def test_pods_reach_the_addresses_that_the_farm_calls_public_and_no_others() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    blocks = [to["ipBlock"] for to in policies["to-the-internet"]["egress"][0]["to"]]
    refused = {block["cidr"]: set(block["except"]) for block in blocks}
    assert refused == {
        "0.0.0.0/0": {str(network) for network in addresses._SPECIAL_V4},
        str(addresses._UNICAST_V6): {
            *(str(network) for network in addresses._SPECIAL_V6),
            str(addresses._6TO4),
        },
    }
