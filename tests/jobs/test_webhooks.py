"""Webhooks, with a real server, a real egress proxy and real receivers on loopback."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest
import redis
import structlog

from farm.egress import Egress
from farm.errors import NotFound, NotReady, RenderTimeout, UrlRefused
from farm.formats import FORMATS
from farm.job import file_name
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records, record_key
from farm.jobs.webhooks import due
from farm.jobs.webhooks.outbox import Outbox
from farm.jobs.webhooks.sender import Sender
from farm.jobs.webhooks.transport import Transport
from farm.policy import Names, Policy
from farm.request import HTML, Limits, RenderRequest, RenderResult, Timings
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.webhooks import Delivery, Target
from tests.support.allowed_site import CERTIFICATE
from tests.support.farm_process import free_port, wait_until
from tests.support.receiver import SECRET, Call, Receiver, running_receiver
from tests.support.site import SITES

LIMITS = Limits(30_000, 1_000_000)
SETTINGS = Settings.model_validate({"egress_allow": SITES, "webhook_secret": SECRET})
#: What no text decodes.
FILE = b"\x89PNG\xff\x00" * 1000
RESULT = RenderResult(base64.b64encode(FILE).decode(), FORMATS["png"], 40, 30, Timings())


class QuickSender(Sender):
    first_pause_s = 0.05


MakeSender = Callable[..., Sender]


@pytest.fixture(scope="module")
def egress() -> Iterator[Egress]:
    running = Egress(Policy(allow=Names.parse([SITES])), None, 64, 10_000_000)
    running.start()
    yield running
    running.close()


@pytest.fixture
def start_sender(
    redis_client: redis.Redis, storage: ObjectStorage, egress: Egress
) -> Iterator[MakeSender]:
    """Starts one, as a worker does; tests that want several pauses or none say so."""
    senders: list[Sender] = []

    def start(
        kind: type[Sender] = QuickSender, timeout_s: float = 20, settings: Settings = SETTINGS
    ) -> Sender:
        transport = Transport(egress.open_own, storage, settings.webhook_keys, timeout_s)
        senders.append(kind(Outbox(redis_client), transport, timeout_s))
        senders[-1].start()
        return senders[-1]

    yield start
    for sender in senders:
        sender.stop(0)


@pytest.fixture
def queue(redis_client: redis.Redis, storage: ObjectStorage) -> Iterator[RedisJobQueue]:
    running = RedisJobQueue(redis_client, storage, SETTINGS)
    yield running
    running.close()


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def request(url: str | None, **webhook: object) -> RenderRequest:
    body: dict[str, object] = {"html": "x"}
    if url is not None:
        body["webhook"] = {"url": url, **webhook}
    return RenderRequest.parse(json.dumps(body).encode(), HTML, LIMITS)


@pytest.fixture
def complete(queue: RedisJobQueue, records: Records, storage: ObjectStorage) -> Callable[..., str]:
    """Submits a job with a webhook, and completes it."""

    def complete(url: str, **webhook: object) -> str:
        job_id = queue.submit(request(url, **webhook), "a-request")
        records.start(job_id)
        storage.put(file_name(job_id), FILE)
        records.complete(job_id, RESULT)
        return job_id

    return complete


Complete = Callable[..., str]


def told(queue: RedisJobQueue, job_id: str) -> list[dict[str, object]]:
    """What the record tells of its deliveries."""
    deliveries: list[dict[str, object]] = queue.read(job_id)[0].public().get("deliveries", [])
    return deliveries


def over(queue: RedisJobQueue, job_id: str) -> bool:
    states = {delivery["state"] for delivery in told(queue, job_id)}
    return bool(states) and "pending" not in states


def test_a_completed_job_is_told_once_and_signed(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    job_id = complete(receiver.url, headers={"Authorization": "Bearer t"})
    wait_until(lambda: over(queue, job_id))
    (call,) = receiver.calls
    assert call.is_signed()
    assert (call.method, call.path, call.id) == ("POST", "/hook", f"{job_id}_completed")
    assert call.headers["authorization"] == "Bearer t"
    assert call.headers["content-type"] == "application/json"
    assert (call.headers["x-farm-job"], call.headers["x-farm-event"]) == (job_id, "completed")
    record = queue.read(job_id)[0].public()
    (delivery,) = record.pop("deliveries")
    head = {"type": "job.completed", "timestamp": record["completedAt"], "jobId": job_id}
    assert json.loads(call.body) == {**head, **record}
    assert delivery.pop("triedAt").endswith("Z")
    assert delivery == {
        "id": f"{job_id}_completed",
        "event": "completed",
        "state": "delivered",
        "tries": 1,
        "status": 204,
    }
    assert queue.figures().webhooks == 0


def test_the_file_is_sent_where_that_is_asked_for(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    job_id = complete(receiver.url, send="file")
    wait_until(lambda: over(queue, job_id))
    (call,) = receiver.calls
    assert call.body == FILE
    assert call.headers["content-type"] == "image/png"
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    head = f"{call.id}.{call.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(key, head + call.body, hashlib.sha256).digest()
    assert call.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_a_failed_job_sends_its_record_in_place_of_a_file(
    queue: RedisJobQueue, records: Records, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    job_id = queue.submit(request(receiver.url, send="file"), "")
    records.fail(job_id, RenderTimeout())
    wait_until(lambda: over(queue, job_id))
    (call,) = receiver.calls
    assert call.is_signed()
    assert call.id == f"{job_id}_failed"
    assert json.loads(call.body)["code"] == "render_timeout"


def test_a_job_that_its_client_cancels_is_told(
    queue: RedisJobQueue, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    job_id = queue.submit(request(receiver.url), "")
    queue.cancel(job_id)
    wait_until(lambda: over(queue, job_id))
    assert [json.loads(call.body)["status"] for call in receiver.calls] == ["cancelled"]


def test_only_the_ends_that_are_asked_for_are_told(
    queue: RedisJobQueue,
    records: Records,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    start_sender()
    quiet = complete(receiver.url, events=["failed", "cancelled"])
    failed = queue.submit(request(receiver.url, events=["failed"]), "")
    records.fail(failed, RenderTimeout())
    wait_until(lambda: over(queue, failed))
    assert [call.id for call in receiver.calls] == [f"{failed}_failed"]
    assert told(queue, quiet) == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
def test_what_is_no_success_is_tried_again_as_the_same_message(
    queue: RedisJobQueue,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
    status: int,
) -> None:
    start_sender()
    receiver.headers = {"Location": "/elsewhere"}
    receiver.answer_in_turn(status, status, 200)
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    assert {call.path for call in receiver.calls} == {"/hook"}
    assert [call.id for call in receiver.calls] == [f"{job_id}_completed"] * 3
    assert len({call.body for call in receiver.calls}) == 1
    assert all(call.is_signed() for call in receiver.calls)
    (delivery,) = told(queue, job_id)
    assert (delivery["tries"], delivery["status"]) == (3, 200)


def test_a_receiver_that_is_down_is_tried_again(
    queue: RedisJobQueue, complete: Complete, start_sender: MakeSender
) -> None:
    start_sender()
    port = free_port()
    job_id = complete(f"http://127.0.0.1:{port}/hook")
    wait_until(lambda: told(queue, job_id)[0]["tries"])
    (delivery,) = told(queue, job_id)
    assert (delivery["state"], "status" in delivery) == ("pending", False)
    assert delivery["reason"] == "its host refused the connection"
    with running_receiver(port) as receiver:
        wait_until(lambda: over(queue, job_id))
        assert len(receiver.calls) == 1
    assert "reason" not in told(queue, job_id)[0]


def test_a_receiver_that_is_gone_for_good_is_not_tried_again(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    receiver.answer_in_turn(410)
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    (delivery,) = told(queue, job_id)
    assert (delivery["state"], delivery["status"], delivery["tries"]) == ("failed", 410, 1)
    assert queue.figures().webhooks == 0


def test_it_is_given_up_when_its_time_is_over(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    class Impatient(QuickSender):
        tried_for_s = 0.3

    start_sender(Impatient)
    receiver.answer_in_turn(500)
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    assert told(queue, job_id)[0]["state"] == "failed"
    assert len(receiver.calls) == told(queue, job_id)[0]["tries"]
    assert queue.figures().webhooks == 0


def test_pauses_grow_with_the_time_for_which_it_has_been_tried() -> None:
    """For an hour, without a single try that is waited for."""
    sender = Sender(None, None, 20)  # type: ignore[arg-type]
    delivery, now_ms, pauses = Delivery("x", "failed", 0), 0, []
    while (pause_ms := sender._pause_ms(delivery, now_ms)) is not None:
        pauses.append(pause_ms)
        now_ms += pause_ms
    assert 8 <= len(pauses) <= 20
    assert 4_000 <= pauses[0] <= 6_000
    assert max(pauses) <= 720_000
    assert 2_880_000 <= sum(pauses) <= 3_600_000


def test_a_receiver_that_hangs_holds_up_no_other(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    with running_receiver() as hanging:
        hanging.answer = hanging.hang
        for _ in range(40):
            complete(hanging.url)
        start_sender(timeout_s=60)
        wait_until(lambda: hanging.calls)
        ids = [complete(receiver.url) for _ in range(5)]
        wait_until(lambda: all(over(queue, job_id) for job_id in ids))
        assert len(hanging.calls) <= 4, "of one receiver, at the same time"


def test_a_try_ends_in_time(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender(timeout_s=0.3)
    receiver.answer = receiver.hang
    job_id = complete(receiver.url)
    wait_until(lambda: told(queue, job_id)[0]["tries"])
    assert told(queue, job_id)[0]["reason"] == "no answer within 0.3 s"


@contextmanager
def dripping(beginning: bytes, drop: bytes) -> Iterator[str]:
    """The URL of a receiver that answers with a beginning, and then drop by drop without an end."""

    def drip() -> None:
        with suppress(OSError):
            sock, _ = server.accept()
            sock.sendall(beginning)
            while not closing.wait(0.05):
                sock.sendall(drop)

    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        closing.set()


def test_a_try_ends_in_time_though_the_answer_comes_in_drops(
    queue: RedisJobQueue, complete: Complete, start_sender: MakeSender
) -> None:
    start_sender(timeout_s=0.5)
    with dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n") as url:
        job_id = complete(url)
        wait_until(lambda: told(queue, job_id)[0]["tries"])
    assert told(queue, job_id)[0]["reason"] == "no answer within 0.5 s"


def test_a_try_ends_in_time_though_the_body_of_the_answer_comes_in_drops(
    queue: RedisJobQueue, complete: Complete, start_sender: MakeSender
) -> None:
    start_sender(timeout_s=0.5)
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"y") as url:
        job_id = complete(url)
        wait_until(lambda: over(queue, job_id))
    assert (told(queue, job_id)[0]["state"], told(queue, job_id)[0]["status"]) == ("delivered", 200)


def test_a_caller_with_many_hanging_receivers_holds_up_no_other(
    queue: RedisJobQueue, records: Records, receiver: Receiver, start_sender: MakeSender
) -> None:
    with ExitStack() as stack:
        hanging = [stack.enter_context(running_receiver()) for _ in range(8)]
        for each in hanging:
            each.answer = each.hang
            for _ in range(4):
                records.cancel(queue.submit(request(each.url), "", caller="anna"))
        sender = start_sender(timeout_s=60)
        # Half of the places, as nobody else has any.
        wait_until(lambda: sum(len(each.calls) for each in hanging) == 16)
        ids = [queue.submit(request(receiver.url), "", caller="bob") for _ in range(5)]
        for job_id in ids:
            records.cancel(job_id)
        wait_until(lambda: all(over(queue, job_id) for job_id in ids))
        assert sum(len(each.calls) for each in hanging) == 16
        wait_until(lambda: sender._busy() >= {"anna/"})


def test_without_api_keys_no_place_is_kept_free_for_other_callers(
    queue: RedisJobQueue, records: Records, start_sender: MakeSender
) -> None:
    with ExitStack() as stack:
        hanging = [stack.enter_context(running_receiver()) for _ in range(8)]
        for each in hanging:
            each.answer = each.hang
            for _ in range(4):
                records.cancel(queue.submit(request(each.url), ""))
        start_sender(timeout_s=60)
        wait_until(lambda: sum(len(each.calls) for each in hanging) == 32)


def test_what_another_version_has_put_into_the_line_holds_up_no_other(
    redis_client: redis.Redis, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    for number in range(30):
        redis_client.set(record_key(str(number)), '{"of": "another version"}')
    redis_client.zadd(due.KEY, {f"0:{number}:0": 1 for number in range(30)})
    redis_client.zadd(due.KEY, {"of:a:newer:kind": 1})
    complete(receiver.url)
    with structlog.testing.capture_logs() as logs:
        start_sender()
        wait_until(lambda: receiver.calls)
    assert len([line for line in logs if line.get("outcome") == "not understood"]) == 31
    assert not [line for line in logs if "not delivered" in line["event"]], "it pauses then"
    assert redis_client.zcard(due.KEY) >= 31


@pytest.mark.parametrize("text", ["0a1b:a-job:2", "anna/0a1b:a-job:2"])
def test_names_of_deliveries_are_read_as_they_are_written(text: str) -> None:
    assert str(due.Name.parse(text)) == text


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "its address is not public"),
        ("http://[::1]/", "its address is not public"),
        ("http://2130706433.example:22/", "the port is not 80, 443 or above 1023"),
    ],
)
def test_what_the_policy_refuses_by_its_url_is_not_accepted(
    queue: RedisJobQueue, redis_client: redis.Redis, url: str, reason: str
) -> None:
    with pytest.raises(UrlRefused, match=reason):
        queue.submit(request(url), "")
    assert redis_client.dbsize() == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_the_policy_refuses_at_last_is_over_and_says_so(
    records: Records,
    redis_client: redis.Redis,
    queue: RedisJobQueue,
    start_sender: MakeSender,
    scheme: str,
) -> None:
    """A name that leads inside, or a policy that was changed since."""
    start_sender()
    trusting = Settings.model_validate({"egress_allow": "169.254.0.0/16"})
    job_id = RedisJobQueue(redis_client, queue._storage, trusting).submit(
        request(f"{scheme}://169.254.169.254/latest"), ""
    )
    records.cancel(job_id)
    wait_until(lambda: over(queue, job_id))
    (delivery,) = told(queue, job_id)
    assert (delivery["state"], delivery["tries"]) == ("failed", 1)
    assert delivery["reason"] == "refused by the egress policy: its address is not public"


def test_a_receiver_is_known_by_its_certificate(
    queue: RedisJobQueue,
    complete: Complete,
    start_sender: MakeSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_sender()
    with running_receiver(certificate=CERTIFICATE) as receiver:
        job_id = complete(receiver.url)
        wait_until(lambda: told(queue, job_id)[0]["tries"])
        assert told(queue, job_id)[0]["reason"] == "its certificate is not valid"
        assert receiver.calls == []
        # It has signed itself, and so is an authority, if somebody trusts it.
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(CERTIFICATE))
        wait_until(lambda: over(queue, job_id))
        assert len(receiver.calls) == 1


def test_a_receiver_that_speaks_no_tls_is_told_so(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    job_id = complete(receiver.url.replace("http:", "https:"))
    wait_until(lambda: told(queue, job_id)[0]["tries"])
    assert told(queue, job_id)[0]["reason"] == "TLS with it failed"


def test_a_worker_that_dies_at_it_loses_nothing(
    redis_client: redis.Redis,
    queue: RedisJobQueue,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    """It has taken the delivery, maybe sent it, and says nothing any more."""
    job_id = complete(receiver.url)
    outbox = Outbox(redis_client)
    parcel = outbox.take(0.5, set())
    assert parcel is not None
    assert outbox.take(0.5, set()) is None, "it is taken"
    start_sender()
    wait_until(lambda: over(queue, job_id))
    assert [call.id for call in receiver.calls] == [parcel.delivery.id]
    # The dead one was but slow: what it has to say now changes nothing but the count.
    outbox.settle(parcel, lambda before: replace(before, tries=before.tries + 1), 1000)
    (delivery,) = told(queue, job_id)
    assert (delivery["state"], delivery["tries"]) == ("delivered", 2)
    assert queue.figures().webhooks == 0


def test_a_delivery_whose_job_has_expired_is_over(
    redis_client: redis.Redis,
    queue: RedisJobQueue,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    gone = complete(receiver.url)
    redis_client.delete(record_key(gone))
    start_sender()
    wait_until(lambda: queue.figures().webhooks == 0)
    assert receiver.calls == []


def test_a_job_that_expires_during_a_try_leaves_nothing(
    redis_client: redis.Redis,
    queue: RedisJobQueue,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    def expire(call: Call) -> int:
        redis_client.delete(record_key(call.headers["x-farm-job"]))
        return 500

    receiver.answer = expire
    job_id = complete(receiver.url)
    start_sender()
    wait_until(lambda: queue.figures().webhooks == 0)
    assert not redis_client.exists(record_key(job_id))


def test_it_is_over_when_the_file_has_expired(
    queue: RedisJobQueue,
    storage: ObjectStorage,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    job_id = complete(receiver.url, send="file")
    storage.delete([file_name(job_id)])
    start_sender()
    wait_until(lambda: over(queue, job_id))
    assert told(queue, job_id)[0]["reason"] == "the file has expired"


def test_a_record_keeps_its_time_to_live(
    redis_client: redis.Redis,
    queue: RedisJobQueue,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    start_sender()
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    assert 0 < redis_client.ttl(record_key(job_id)) <= 3600


def test_it_is_sent_again_as_the_same_message(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender()
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    record = queue.send_again(job_id)
    assert record.public()["deliveries"][0]["state"] == "pending"
    wait_until(lambda: over(queue, job_id))
    assert [call.id for call in receiver.calls] == [f"{job_id}_completed"] * 2
    assert told(queue, job_id)[0]["tries"] == 2


def test_it_is_not_sent_again_before_the_job_has_ended_or_without_a_webhook(
    queue: RedisJobQueue, complete: Complete, records: Records, receiver: Receiver
) -> None:
    with pytest.raises(NotReady, match="has not ended"):
        queue.send_again(queue.submit(request(receiver.url), ""))
    without = queue.submit(request(None), "")
    for _ in range(2):
        with pytest.raises(NotFound, match="no webhook"):
            queue.send_again(without)
        records.fail(without, RenderTimeout())
    with pytest.raises(NotFound, match="no webhook"):
        queue.send_again(complete(receiver.url, events=["failed"]))
    with pytest.raises(NotFound):
        queue.send_again(str(uuid.uuid4()))
    with pytest.raises(NotFound):
        queue.send_again(complete(receiver.url), "another-caller")


def test_without_a_secret_it_is_not_signed(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    start_sender(settings=Settings())
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    assert receiver.calls[0].id == f"{job_id}_completed"
    assert "webhook-signature" not in receiver.calls[0].headers


def test_it_is_signed_with_every_secret_while_they_are_changed(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()
    start_sender(settings=Settings.model_validate({"webhook_secret": f"{new} {SECRET}"}))
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))
    assert receiver.calls[0].is_signed(new)
    assert receiver.calls[0].is_signed(SECRET)


def test_what_is_secret_is_in_no_log_and_in_no_answer(
    queue: RedisJobQueue, complete: Complete, receiver: Receiver, start_sender: MakeSender
) -> None:
    receiver.answer_in_turn(500, 200)
    with structlog.testing.capture_logs() as logs:
        start_sender()
        job_id = complete(f"{receiver.url}/s3cret?key=s3cret", headers={"Authorization": "s3cret"})
        wait_until(lambda: over(queue, job_id))
        wait_until(lambda: len([line for line in logs if line["event"] == "webhook"]) == 2)
    assert "s3cret" in receiver.calls[0].path
    assert "s3cret" not in str(logs)
    assert "s3cret" not in json.dumps(queue.read(job_id)[0].public())
    lines = [line for line in logs if line["event"] == "webhook"]
    assert [line["outcome"] for line in lines] == ["retried", "delivered"]
    assert {line["host"] for line in lines} == {"127.0.0.1"}
    assert {line["request_id"] for line in lines} == {"a-request"}


def test_a_sender_that_loses_its_redis_goes_on_afterwards(
    redis_client: redis.Redis,
    queue: RedisJobQueue,
    complete: Complete,
    receiver: Receiver,
    start_sender: MakeSender,
) -> None:
    start_sender()
    redis_client.set(due.KEY, "no sorted set")
    with structlog.testing.capture_logs() as logs:
        wait_until(lambda: any("not delivered" in line["event"] for line in logs))
    redis_client.delete(due.KEY)
    job_id = complete(receiver.url)
    wait_until(lambda: over(queue, job_id))


def test_several_targets_are_each_told_in_their_own_way(
    queue: RedisJobQueue, records: Records, receiver: Receiver, start_sender: MakeSender
) -> None:
    """As other services' clients ask for it."""
    start_sender()
    texts = {
        "render_timeout": '{"status": 504, "message": $error}',
        "*": '{"status": 500, "id": $jobId}',
    }
    targets = [
        Target(receiver.url, ("completed",), "PUT", {"Content-Disposition": "x"}, "file"),
        Target(f"{receiver.url}/error", ("failed",), "PATCH", {"X-T": "1"}, "text", texts),
        Target(f"{receiver.url}/event", method="POST", body="text", texts={"*": "$event $$1"}),
    ]
    job_id = queue.submit(request(None), "", targets=targets)
    records.fail(job_id, RenderTimeout('A "late" page.'))
    wait_until(lambda: over(queue, job_id))
    error, event = sorted(receiver.calls, key=lambda call: call.path)
    assert (error.method, error.path, error.headers["x-t"]) == ("PATCH", "/hook/error", "1")
    assert json.loads(error.body) == {"status": 504, "message": 'A "late" page.'}
    assert event.body == b'"failed" $1'
    assert [error.id, event.id] == [f"{job_id}_failed", f"{job_id}_failed_2"]


def test_many_deliveries_that_are_not_due_hide_none(
    redis_client: redis.Redis, queue: RedisJobQueue, complete: Complete, receiver: Receiver
) -> None:
    """Behind more than Redis looks at in one go."""
    others = {f"{'0' * 12}:{uuid.uuid4()}:0": 1 for _ in range(2500)}
    redis_client.zadd(due.KEY, others)
    complete(receiver.url)
    outbox = Outbox(redis_client)
    parcel = outbox.take(60, {"0" * 12})
    assert parcel is not None
    assert parcel.target.url == receiver.url
