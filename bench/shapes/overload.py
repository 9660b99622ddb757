"""A load shape for locust: far more users than a farm has places, between two calm minutes.

What a farm refuses then is a failure here: 503 with the code `busy`.
"""

from locust import LoadTestShape


class Overload(LoadTestShape):
    calm_users, users, calm_s, seconds = 4, 200, 60, 60

    def tick(self) -> tuple[int, float] | None:
        passed = self.get_run_time()
        if passed > 2 * self.calm_s + self.seconds:
            return None
        is_calm = not self.calm_s <= passed < self.calm_s + self.seconds
        return (self.calm_users if is_calm else self.users), self.users
