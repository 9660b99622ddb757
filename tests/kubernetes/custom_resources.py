"""JSON Schemas of the objects of KEDA and the Prometheus operator, as far as conf/kubernetes/ uses
them. A field that is not here is refused, so that a wrong name is found. They follow the operators'
own definitions: KEDA 2.20 (keda.sh/v1alpha1), Prometheus operator 0.93 (monitoring.coreos.com/v1).
"""

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
DURATION: Schema = {"type": "string", "pattern": r"^\d+(ms|s|m|h|d)$"}


def exact(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def mapping(of: Schema) -> Schema:
    return {"type": "object", "additionalProperties": of}


def several(of: Schema) -> Schema:
    return {"type": "array", "items": of, "minItems": 1}


def kind(spec: Schema) -> Schema:
    names = exact({"name": TEXT, "namespace": TEXT}, labels=mapping(TEXT))
    return exact({"apiVersion": TEXT, "kind": TEXT, "metadata": names, "spec": spec})


#: What KEDA's scaler for Prometheus reads; all of it is text.
PROMETHEUS_TRIGGER = exact(
    {"serverAddress": TEXT, "query": TEXT, "threshold": {"type": "string", "pattern": r"^\d+$"}},
    ignoreNullValues={"enum": ["true", "false"]},
)
SCHEMAS = {
    "ScaledObject": kind(
        exact(
            {
                "scaleTargetRef": exact({"name": TEXT}),
                "triggers": several(
                    exact(
                        {
                            "type": {"const": "prometheus"},
                            "name": TEXT,
                            "metricType": {"enum": ["AverageValue", "Value"]},
                            "metadata": PROMETHEUS_TRIGGER,
                        }
                    )
                ),
            },
            minReplicaCount=NUMBER,
            maxReplicaCount=NUMBER,
            pollingInterval=NUMBER,
        )
    ),
    "ServiceMonitor": kind(
        exact(
            {
                "selector": exact({"matchLabels": mapping(TEXT)}),
                "endpoints": several(
                    exact(
                        {"port": TEXT, "path": TEXT, "interval": DURATION},
                        scrapeTimeout=DURATION,
                        authorization=exact({"credentials": exact({"name": TEXT, "key": TEXT})}),
                    )
                ),
            },
            jobLabel=TEXT,
        )
    ),
    "PrometheusRule": kind(
        exact(
            {
                "groups": several(
                    exact(
                        {
                            "name": TEXT,
                            "rules": several(
                                exact(
                                    {"alert": TEXT, "expr": TEXT},
                                    **{"for": DURATION},
                                    labels=mapping(TEXT),
                                    annotations=mapping(TEXT),
                                )
                            ),
                        }
                    )
                )
            }
        )
    ),
}
