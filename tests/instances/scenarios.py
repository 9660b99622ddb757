"""What happens to a deployment under load."""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.asking import ask
from tests.instances.clients import Clients
from tests.instances.deployment import (
    FARM_PORT,
    REDIS_PORT,
    SENTINEL_PORT,
    Deployment,
    Program,
    Redis,
    clock_problem,
    queue_problem,
)
from tests.instances.ledger import Ledger
from tests.instances.network import How, Machine
from tests.support.farm_process import wait_until

#: How long a machine may take to do its work again, once what it needs is back.
_BACK_S = 60.0
_POLL_S = 0.1


@dataclass
class Run:
    """A deployment under load. `seconds`: how long a fault lasts."""

    deployment: Deployment
    clients: Clients
    ledger: Ledger
    seconds: float
    tell: Callable[[str], None]

    def wait(self, share: float = 1.0) -> None:
        time.sleep(self.seconds * share)

    def wait_back(self, *farms: Program) -> None:
        """Until each does what it is there for; what it does not is a broken promise."""
        began = time.monotonic()
        done = {farm.name: _done(self.deployment, farm) for farm in farms}
        waiting = list(farms)
        while waiting and time.monotonic() - began < _BACK_S:
            for farm in list(waiting):
                if _done(self.deployment, farm) > done[farm.name] and self._reaches_redis(farm):
                    took_s = time.monotonic() - began
                    self.ledger.note(f"{farm.name} worked again after {took_s:.1f} s")
                    waiting.remove(farm)
            time.sleep(_POLL_S)
        for farm in waiting:
            self.ledger.answers.defects.append(f"{farm.name} did no work for {_BACK_S:g} s")

    def _reaches_redis(self, farm: Program) -> bool:
        if farm in self.deployment.workers:
            return True
        path, host = f"/render-async/{uuid.uuid4()}", farm.machine.address
        return ask(FARM_PORT, "GET", path, timeout_s=10, host=host).code == "not_found"


def _done(deployment: Deployment, farm: Program) -> int:
    """How many renders or jobs it has done."""
    if farm in deployment.workers:
        return farm.count("job", outcome="completed")
    return farm.count("render", outcome="ok")


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    play: Callable[[Run], None]
    clocks: Mapping[str, int] = field(default_factory=dict)
    fails_over: bool = False
    #: It begins with the version before.
    upgrades: bool = False

    def problem(self) -> str:
        """Why it cannot be played here; empty if it can."""
        if self.fails_over:
            return queue_problem()
        return clock_problem() if self.clocks else ""


def _from(peer: str, how: How) -> Callable[[Run], None]:
    """A renderer and a worker are cut off from one other machine."""

    def play(run: Run) -> None:
        deployment = run.deployment
        renderer, worker = deployment.renderers[0], deployment.workers[0]
        victims = (renderer,) if peer == "nginx" else (renderer, worker)
        machine: Machine = getattr(deployment, peer).machine
        run.wait(0.3)
        for victim in victims:
            victim.machine.cut(machine, how)
        with run.clients.asking(renderer.machine):
            run.wait()
        for healed in (machine, *(victim.machine for victim in victims)):
            healed.heal()
        run.wait_back(*victims)
        run.wait(0.3)

    return play


def _unplug(run: Run) -> None:
    victims = (run.deployment.renderers[0], run.deployment.workers[0])
    _pull([victim.machine for victim in victims], run, victims)


def _unplug_redis(run: Run) -> None:
    _pull([run.deployment.redis.machine], run, run.deployment.farms)


def _pull(machines: Sequence[Machine], run: Run, victims: Sequence[Program]) -> None:
    """Pull the machines' cables, which keeps the victims from their work."""
    run.wait(0.3)
    for machine in machines:
        machine.unplug()
    run.wait()
    for machine in machines:
        machine.plug()
    run.wait_back(*victims)
    run.wait(0.3)


def _lose_machines(run: Run) -> None:
    """A renderer and a worker lose their power, and are started again."""
    victims = (run.deployment.renderers[0], run.deployment.workers[0])
    run.wait(0.3)
    for victim in victims:
        victim.machine.unplug()
        victim.kill()
    run.wait()
    for victim in victims:
        victim.machine.plug()
        run.deployment.start_again(victim)
    run.wait_back(*victims)
    run.wait(0.3)


def _asked(program: Program, port: int) -> redis.Redis:
    """A client that gives up soon."""
    never = Retry(NoBackoff(), 0)
    return redis.Redis(program.machine.address, port, socket_timeout=0.5, retry=never)


def _primary(said_by: Redis) -> str:
    """The address of the primary, as a sentinel says."""
    with _asked(said_by.sentinel, SENTINEL_PORT) as client:
        found = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "queue")
        return str(found[0].decode())


def _role(program: Program) -> str:
    try:
        with _asked(program, REDIS_PORT) as client:
            return str(client.info("replication")["role"])
    except redis.RedisError:
        return "gone"


def _fail_over(how: str) -> Callable[[Run], None]:
    """`how`: what happens to the primary."""

    def play(run: Run) -> None:
        run.wait(0.3)
        primary, other, _ = run.deployment.group
        machine = primary.server.machine
        began = time.monotonic()
        match how:
            case "killed":
                primary.server.kill()
            case "unplugged":
                machine.unplug()
            case "asked" | "coordinated":
                options = ["COORDINATED"] if how == "coordinated" else []
                with _asked(primary.sentinel, SENTINEL_PORT) as client:
                    client.execute_command("SENTINEL", "FAILOVER", "queue", *options)
        wait_until(lambda: _primary(other) != machine.address, 60)
        run.ledger.note(f"another primary after {time.monotonic() - began:.1f} s")
        run.wait_back(*run.deployment.farms)
        run.wait()
        match how:
            case "killed":
                primary.server.start()
            case "unplugged":
                machine.plug()
        wait_until(lambda: _role(primary.server) == "slave", 60)
        run.ledger.note("the old primary is a replica")
        run.wait(0.3)

    return play


def _run_on(run: Run) -> None:
    """Nothing but wrong clocks, and a worker that is killed."""
    for farm in run.deployment.renderers:
        health = ask(FARM_PORT, "GET", "/health", timeout_s=10, host=farm.machine.address)
        told = datetime.fromisoformat(health.json["timestamp"])
        wrong_s = (told - datetime.now(UTC)).total_seconds()
        run.ledger.note(f"{farm.name}'s clock is {wrong_s:+.0f} s from ours")
    run.wait(0.5)
    victim = run.deployment.workers[-1]
    victim.kill()
    run.wait(0.5)
    run.deployment.start_again(victim)
    run.wait_back(*run.deployment.farms)


def _upgrade(run: Run) -> None:
    """One after the other, as docs/deploy.md has it."""
    deployment = run.deployment
    run.wait(0.3)
    for farm in deployment.farms:
        run.tell(f"upgrading {farm.name}")
        farm.stop()
        deployment.start_again(farm)
        run.wait_back(farm)
    run.wait(0.3)


#: By how many seconds they are wrong.
_CLOCKS = {"renderer-1": 360, "renderer-2": -540, "worker-1": -240, "worker-2": 480, "store": -180}

SCENARIOS = (
    Scenario("redis-drop", "a renderer and a worker lose Redis, silently", _from("redis", "drop")),
    Scenario("redis-reject", "the same, with resets", _from("redis", "reject")),
    Scenario("store-drop", "they lose the store, silently", _from("store", "drop")),
    Scenario("store-reject", "the same, with resets", _from("store", "reject")),
    Scenario("nginx-drop", "a renderer loses nginx, silently", _from("nginx", "drop")),
    Scenario("nginx-reject", "the same, with resets", _from("nginx", "reject")),
    Scenario("cables", "a renderer's and a worker's cables are pulled", _unplug),
    Scenario("power", "a renderer's and a worker's machines lose power", _lose_machines),
    Scenario("redis-cable", "Redis's cable is pulled", _unplug_redis),
    Scenario(
        "failover",
        "Redis's primary is killed",
        _fail_over("killed"),
        fails_over=True,
    ),
    Scenario(
        "failover-cable",
        "its cable is pulled instead",
        _fail_over("unplugged"),
        fails_over=True,
    ),
    Scenario(
        "failover-asked",
        "Sentinel is told to",
        _fail_over("asked"),
        fails_over=True,
    ),
    Scenario(
        "failover-coordinated",
        "Sentinel is told to, and the primary hands over",
        _fail_over("coordinated"),
        fails_over=True,
    ),
    Scenario(
        "clocks",
        "clocks are up to 17 minutes apart; a worker is killed",
        _run_on,
        clocks=_CLOCKS,
    ),
    Scenario("upgrade", "each is upgraded from the version before", _upgrade, upgrades=True),
)
