"""Makes a kind of page from the figures of a running farm: its `/metrics`.

The figures do not contain processor time, so it is estimated. A page computes for as long as the
simple page of the bench, plus the time that its settling and capturing take longer. Loading over
HTTP counts as waiting. The figures must come from hours in which the farm was not full, since steps
take longer under load.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from farm.plan.kinds import MEASURED, Kind, Mix, Spread

_TIMEOUT_S = 10.0
#: The end of the message if the farm has API keys.
_KEY = (
    ": it wants an API key; fetch the figures with curl -H 'X-Api-Key: …' and pipe them to "
    "--metrics -"
)
_STEPS = ("loading", "settling", "capturing")


class ScrapeError(Exception):
    """The figures cannot be read or used. `str()` of it is a sentence for the user."""


@dataclass(frozen=True)
class Scraped:
    """`renders`: the number of counted renders. `job_share` and `hit_share` are from 0 to 1."""

    mix: Mix
    renders: int
    job_share: float
    hit_share: float


def read(source: str) -> str:
    """The text at a URL, in a file, or (`-`) on standard input. Raises `ScrapeError`."""
    try:
        if source == "-":
            return sys.stdin.read()
        if source.startswith(("http://", "https://")):
            with urlopen(source, timeout=_TIMEOUT_S) as answer:
                return str(answer.read().decode())
        return Path(source).read_text()
    except HTTPError as exc:
        raise ScrapeError(
            f"{source} answers {exc.code} {exc.reason}{_KEY * (exc.code == 401)}"
        ) from exc
    except (URLError, OSError, HTTPException, ValueError) as exc:  # ValueError: no URL, no UTF-8
        cause = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or exc
        raise ScrapeError(f"{source} cannot be read: {cause}") from exc


def scraped(text: str, cpu_ms: float | None = None) -> Scraped:
    """The figures of a farm's renders in Prometheus's text format.

    `cpu_ms`: the processor time of a render, if it is known. Raises `ScrapeError`.
    """
    figures = _Figures(text)
    done = {
        route: figures.count("farm_renders_total", route=route, outcome="completed")
        for route in ("render", "render-url", "job")
    }
    renders = int(sum(done.values()))
    steps_s = {step: figures.mean("farm_render_step_seconds", step=step) for step in _STEPS}
    if not renders or None in steps_s.values():
        raise ScrapeError("it has no figures of completed renders: is it a farm's /metrics?")
    kind = _kind(steps_s, figures.spread("farm_render_step_seconds", step="loading"), cpu_ms)
    hits = figures.count("farm_cache_requests_total", outcome="hit")
    hits += figures.count("farm_cache_requests_total", outcome="joined")
    return Scraped(
        Mix({kind: 1.0}),
        renders,
        job_share=done["job"] / renders,
        hit_share=hits / (hits + renders),
    )


def _kind(steps_s: dict[str, Any], spread: Spread | None, cpu_ms: float | None) -> Kind:
    simple = MEASURED["simple"]
    loading_ms, settling_ms, capturing_ms = (1000 * steps_s[step] for step in _STEPS)
    computing_ms = settling_ms + capturing_ms
    own_ms = max(simple.cpu_ms, computing_ms - simple.waiting_ms)
    kind = Kind(
        "yours",
        cpu_ms=own_ms,
        waiting_ms=loading_ms + simple.waiting_ms,
        closing_ms=simple.closing_ms,
        memory_mib=MEASURED["complex"].memory_mib,
        file_bytes=MEASURED["url"].file_bytes,
        spread=spread,
    )
    return kind if cpu_ms is None else kind.taking(cpu_ms)


class _Figures:
    """Samples of Prometheus's text format, by name and labels."""

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        self._samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    found = self._samples.setdefault(sample.name, [])
                    found.append((sample.labels, sample.value))
        except ValueError as exc:
            raise ScrapeError("it is not Prometheus's text format") from exc

    def _with(self, name: str, labels: dict[str, str]) -> Iterable[tuple[dict[str, str], float]]:
        wanted = labels.items()
        return [(own, value) for own, value in self._samples.get(name, ()) if wanted <= own.items()]

    def count(self, name: str, **labels: str) -> float:
        """The sum of all samples with these labels."""
        return sum(value for _, value in self._with(name, labels))

    def mean(self, name: str, **labels: str) -> float | None:
        count = self.count(f"{name}_count", **labels)
        return self.count(f"{name}_sum", **labels) / count if count else None

    def spread(self, name: str, **labels: str) -> Spread | None:
        """The histogram, scaled to a mean of 1. None if there is none, or if it has no values."""
        counts: dict[float, float] = defaultdict(float)
        for own, value in self._with(f"{name}_bucket", labels):
            counts[float(own["le"])] += value
        bounds = [bound for bound in sorted(counts) if bound != float("inf")]
        if not bounds or not counts[bounds[-1]]:
            return None
        spread = Spread(tuple(bounds), tuple(counts[bound] for bound in bounds))
        mean = spread.mean
        return Spread(tuple(bound / mean for bound in bounds), spread.counts) if mean else None
