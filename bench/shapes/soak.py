"""A load shape for locust: 8 users for an hour, after a minute in which they come one by one."""

from locust import LoadTestShape


class Soak(LoadTestShape):
    users, warm_up_s, seconds = 8, 60, 3600

    def tick(self) -> tuple[int, float] | None:
        passed = self.get_run_time()
        if passed > self.warm_up_s + self.seconds:
            return None
        return max(1, min(self.users, int(self.users * passed / self.warm_up_s))), self.users
