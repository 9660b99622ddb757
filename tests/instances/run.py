"""A scenario from its start to its ledger."""

from collections.abc import Callable
from pathlib import Path

from tests.chaos.ledger import Ledger as Answers
from tests.instances import versions
from tests.instances.clients import Clients
from tests.instances.deployment import Deployment, deployed
from tests.instances.ledger import Ledger
from tests.instances.network import HOST, Network
from tests.instances.scenarios import Run, Scenario
from tests.support.farm_process import log_lines
from tests.support.site import running_site

#: nginx waits for an instance for so long; none has an answer to a client later.
_LONGEST_S = 62
#: A job whose worker was lost runs again within 150 s (docs/jobs.md).
_JOBS_END_S = 240


def play(
    scenario: Scenario,
    network: Network,
    folder: Path,
    seconds: float,
    before: str,
    farms: int = 3,
    tell: Callable[[str], None] = lambda _: None,
) -> Ledger:
    """The ledger. `before`: the revision to upgrade from; `farms`: renderers, and workers."""
    package = versions.unpack(before, folder) if scenario.upgrades else None
    with (
        running_site(HOST) as site,
        deployed(
            folder,
            network,
            package,
            scenario.clocks,
            fails_over=scenario.fails_over,
            farms=farms,
        ) as deployment,
    ):
        tell(f"{scenario.name}: up")
        ledger = Ledger(Answers(_LONGEST_S))
        if package:
            ledger.note(f"upgraded from {versions.name(before)}")
        clients = Clients(deployment.nginx.machine, site, ledger)
        clients.start()
        try:
            scenario.play(Run(deployment, clients, ledger, seconds, tell))
        finally:
            clients.stop()
        tell(f"{scenario.name}: waiting for {clients.left} jobs to end")
        clients.end_jobs(_JOBS_END_S)
        for job_id in accepted(deployment) - set(ledger.jobs):
            clients.look_up(job_id, _JOBS_END_S)
        ledger.count_repeated(clients.works().values())
        ledger.answers.close({})
    return ledger


def accepted(deployment: Deployment) -> set[str]:
    """By the instances' own logs: of some jobs no client may have heard."""
    lines = [line for each in deployment.renderers for line in log_lines(each.log_path, "submit")]
    return {line["job_id"] for line in lines if line["outcome"] == "ok"}
