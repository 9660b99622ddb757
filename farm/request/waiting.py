"""When the page is captured."""

from pydantic import ValidationInfo, field_validator

from farm.request.group import Group, limits_of, option, problem


class Waiting(Group):
    wait_for: int = option(
        0,
        "Waited after the page has settled; counts towards the deadline, which is its longest.",
        unit="milliseconds",
        schema={"minimum": 0},
    )

    @field_validator("wait_for")
    @classmethod
    def _within_deadline(cls, wait_ms: int, info: ValidationInfo) -> int:
        longest_ms = limits_of(info).deadline_ms
        if not 0 <= wait_ms <= longest_ms:
            raise problem(f"must be an integer from 0 to {longest_ms} (milliseconds)")
        return wait_ms
