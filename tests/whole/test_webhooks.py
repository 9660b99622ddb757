"""Webhooks of a whole farm: submitted by HTTP, and received."""

import json

import requests

from tests.support.farm_process import Farm, wait_until
from tests.support.receiver import running_receiver


def test_the_end_of_a_job_is_told_and_told_again(farm: Farm) -> None:
    with running_receiver() as receiver:
        webhook = {"url": f"{receiver.url}/s3cret", "headers": {"Authorization": "s3cret"}}
        answer = farm.post("/render-async", {"html": "<p>x", "webhook": webhook})
        assert answer.status_code == 202, answer.text
        job_id, url = answer.json()["jobId"], farm.url + answer.json()["statusUrl"]

        def tries() -> int:
            deliveries = requests.get(url, timeout=30).json().get("deliveries", [])
            return sum(each["tries"] for each in deliveries if each["state"] == "delivered")

        wait_until(lambda: tries() == 1)
        (call,) = receiver.calls
        assert call.is_signed()
        record = requests.get(url, timeout=30).json()
        told = {name: value for name, value in record.items() if name != "deliveries"}
        head = {"type": "job.completed", "timestamp": record["completedAt"], "jobId": job_id}
        assert json.loads(call.body) == {**head, **told}
        again = requests.post(f"{url}/webhook", timeout=30)
        assert (again.status_code, again.json()["status"]) == (202, "completed")
        wait_until(lambda: tries() == 2)
        assert [each.id for each in receiver.calls] == [f"{job_id}_completed"] * 2
    assert "s3cret" not in farm.log_path.read_text()
    assert "s3cret" not in json.dumps(record)
    shown = requests.get(f"{farm.url}/metrics", timeout=30).text
    assert "farm_webhooks_waiting 0.0" in shown
    assert 'farm_webhooks_total{outcome="delivered"} 2.0' in shown
