"""What the model has from the farm's settings."""

import pytest

from farm.plan.machine import MachineType
from farm.plan.plan import JOB_CONCURRENCY, Question
from farm.settings import Settings, settings


def test_its_defaults_are_the_farms() -> None:
    type_, fields = MachineType(), Settings.model_fields
    assert type_.pages == fields["pages_per_browser"].default
    assert type_.max_waiting == fields["max_waiting"].default
    assert type_.deadline_s == fields["render_deadline_s"].default
    assert fields["job_concurrency"].default == JOB_CONCURRENCY
    assert Question.__dataclass_fields__["job_ttl_s"].default == fields["job_ttl_s"].default


@pytest.mark.parametrize("cores", [1.0, 1.5, 2.0, 4.0, 5.0, 16.0])
def test_workers_and_pages_at_once_follow_from_the_cores_as_in_the_farm(
    cores: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "usable_cores", lambda: cores)
    type_, real = MachineType(cores), Settings()
    assert (type_.worker_count, type_.at_once) == (real.worker_count, real.pages_at_once)
