"""Writes components/monitoring/prometheus-rule.yaml from conf/alerts.yml, which is the one source.

Kustomize reads no file above its own directories, and the operator wants the groups in an object.
`--check`: writes nothing, and fails if the file is another one.
"""

import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
RULE = HERE / "components/monitoring/prometheus-rule.yaml"

HEAD = """\
# Generated from conf/alerts.yml: `python conf/kubernetes/prometheus_rule.py`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: render-farm
spec:
"""


def text() -> str:
    return HEAD + textwrap.indent((HERE.parent / "alerts.yml").read_text(), "  ")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        RULE.write_text(text())
    elif RULE.read_text() != text():
        sys.exit(f"{RULE} is not what conf/alerts.yml says: python {sys.argv[0]}")
