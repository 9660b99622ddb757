"""A load shape for locust: 1, 2, 4, 8, 16, 32 and 50 users, half a minute each."""

from typing import ClassVar

from locust import LoadTestShape


class Steps(LoadTestShape):
    users: ClassVar = (1, 2, 4, 8, 16, 32, 50)
    step_s = 30

    def tick(self) -> tuple[int, float] | None:
        step = int(self.get_run_time() // self.step_s)
        return (self.users[step], 50) if step < len(self.users) else None
