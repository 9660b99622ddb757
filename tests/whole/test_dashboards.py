"""What conf/ shows and alerts of the farm: only what it exports, and with a word in the runbook.

The expressions are held against what a running farm answers to Prometheus.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from farm import errors
from tests.support.farm_process import Farm, running_farm, wait_until
from tests.support.site import SITES

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "conf/grafana/dashboards/render-farm.json").read_text())
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "conf/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]

#: Prometheus's own: what it says of each target, and what it labels everything with.
OF_PROMETHEUS = {"up": {"job", "instance"}}
TARGET_LABELS = {"job", "instance"}
#: What a type adds to the name of its family.
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}

_STRING = re.compile(r'"[^"]*"')
_NAME = re.compile(r"\b(?:farm_\w+|up)\b")
_SELECTOR = re.compile(r"\b(farm_\w+|up)\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_WORD = re.compile(r"\w+")
_ASKED_CODES = re.compile(r'\bcode=~?"([^"]*)"')

Labels = dict[str, set[str] | None]


def panels() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            yield panel


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression, after whose it is."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


def names_and_labels(expression: str) -> tuple[set[str], list[tuple[set[str], str]]]:
    """The metrics of an expression; and each label of it, with those metrics that may have it."""
    bare = _STRING.sub('""', expression)
    names = set(_NAME.findall(bare))
    labels = [
        ({name}, label)
        for name, matchers in _SELECTOR.findall(bare)
        for label in _WORD.findall(matchers)
    ]
    for group in _GROUPING.findall(bare):
        labels += [(names, label) for label in _WORD.findall(group)]
    return names, labels


@pytest.mark.parametrize(
    ("expression", "names", "labels"),
    [
        ("sum(farm_pages) / 2", {"farm_pages"}, []),
        ('up{job=~"a|farm_b"} == 0', {"up"}, ["job"]),
        ("sum by (code, le) (rate(farm_x_total[5m]))", {"farm_x_total"}, ["code", "le"]),
        ('farm_a{b="}", c!="d"} / ignoring (e) farm_f', {"farm_a", "farm_f"}, ["b", "c", "e"]),
    ],
)
def test_expressions_are_read(expression: str, names: set[str], labels: list[str]) -> None:
    found, of = names_and_labels(expression)
    assert found == names
    assert [label for _, label in of] == labels


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """Every metric that a farm exports, with its labels; None: no event of it has shown any."""
    log_path = tmp_path_factory.mktemp("farm") / "log"
    # The bytes of the storage are told of from the first sweep on, a tenth of this after the start.
    given = {"egress_allow": SITES, "job_ttl_s": 10, "link_key": "0123456789abcdef" * 2}
    with running_farm(log_path, workers=1, **given) as farm:
        assert farm.render("<p>x").status_code == 200
        assert farm.render("<p>x", width=0).status_code == 400
        location = farm.post("/render-async", {"html": "<p>x"}).headers["Location"]
        wait_until(lambda: requests.get(farm.url + location).json()["status"] == "completed")
        wait_until(lambda: "farm_storage_bytes" in scrape(farm))
        return scrape(farm)


def scrape(farm: Farm) -> Labels:
    labels: Labels = {}
    for family in text_string_to_metric_families(requests.get(farm.url + "/metrics").text):
        for suffix in SUFFIXES[family.type]:
            name = family.name + suffix
            samples = [sample for sample in family.samples if sample.name == name]
            labels[name] = set().union(*(sample.labels for sample in samples)) if samples else None
    return labels


@pytest.mark.dedicated
@pytest.mark.parametrize(
    ("of", "expression"), [pytest.param(*pair, id=pair[0]) for pair in expressions()]
)
def test_only_what_the_farm_exports_is_asked_for(
    exported: Labels, of: str, expression: str
) -> None:
    known = exported | OF_PROMETHEUS
    names, labels = names_and_labels(expression)
    assert names, of
    assert names <= set(known), of
    for metrics, label in labels:
        have = [known[name] for name in metrics]
        assert label in TARGET_LABELS or None in have or any(label in one for one in have if one)


@pytest.mark.dedicated
def test_every_figure_of_the_farm_is_on_the_dashboard(exported: Labels) -> None:
    shown = {name for _, expression in expressions() for name in names_and_labels(expression)[0]}
    assert {_family(name) for name in exported} == {_family(name) for name in shown} - {"up"}


def _family(name: str) -> str:
    return re.sub("_(bucket|count|sum)$", "", name)


def test_every_panel_is_explained() -> None:
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


def test_no_two_panels_share_an_id_or_a_place() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert all(x < 24 for x, _ in taken)


def _headings() -> set[str]:
    text = (ROOT / "docs/operate.md").read_text()
    return {line.lstrip("#").strip(" `") for line in text.splitlines() if line.startswith("#")}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_is_complete_and_in_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["alert"] in _headings()
    assert rule["annotations"]["runbook"] == f"docs/operate.md#{rule['alert'].lower()}"
    assert {"summary", "description", "reason"} <= set(rule["annotations"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]


def _codes(of: type[errors.FarmError]) -> set[str]:
    # Those that a farm answers with; `farm.client` has more.
    own = {of.code} if hasattr(of, "code") and of.__module__ == errors.__name__ else set()
    return own.union(*(_codes(below) for below in of.__subclasses__()))


def test_every_error_code_is_in_the_runbook() -> None:
    assert _codes(errors.FarmError) <= _headings()


def test_only_error_codes_that_exist_are_asked_for() -> None:
    asked = {
        code
        for _, expression in expressions()
        for codes in _ASKED_CODES.findall(expression)
        for code in codes.split("|")
    }
    assert asked
    assert asked <= _codes(errors.FarmError)


@pytest.mark.parametrize(
    "command",
    [
        ["check", "rules", "conf/alerts.yml"],
        # Its key is a secret that is not here.
        ["check", "config", "--syntax-only", "conf/prometheus.yml"],
    ],
    ids=["rules", "config"],
)
def test_promtool_finds_no_fault(command: list[str]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(["promtool", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
