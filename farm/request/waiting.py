"""When the page is captured.

The engine waits for the page to load and settle, and then for what these options name.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, ValidationInfo, field_validator

from farm.request.group import Group, limits_of, option, problem
from farm.request.texts import Selector, Text


class SelectorWait(Group):
    selector: Selector = option(..., "A CSS selector; its first match counts.")
    state: Literal["attached", "visible", "hidden"] = option(
        "visible",
        "`attached`: it is there; `visible`: it has a box and is not hidden; `hidden`: it is not "
        "visible, or not there.",
    )


def _kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "str"
    return "[object]" if isinstance(value, dict | SelectorWait) else None


_StringOrObject = Discriminator(
    _kind, custom_error_type="problem", custom_error_message="must be a string or an object"
)


class Waiting(Group):
    wait_until: Literal["settled", "load", "domcontentloaded", "networkidle"] = option(
        "settled",
        "`settled`: loaded, with its fonts and images, and nothing it has asked for is under way; "
        "`networkidle`: settled, and no request under way for 500 ms.",
    )
    wait_for_selector: (
        Annotated[
            Annotated[Selector, Tag("str")] | Annotated[SelectorWait, Tag("[object]")],
            _StringOrObject,
        ]
        | None
    ) = option(
        None,
        "An element of the main document to be waited for: a CSS selector, or "
        "`{selector, state}` with the state `attached`, `visible` or `hidden`.",
    )
    wait_for_function: Text | None = option(
        None,
        "A JavaScript expression or function that runs in the page. It is waited for until its "
        "value, promises awaited, is truthy.",
    )
    wait_for: int = option(
        0,
        "Waited after all of that. It counts towards the deadline, and cannot be longer.",
        unit="milliseconds",
        schema={"minimum": 0},
    )
    timeout: int | None = option(
        None,
        "The longest time for loading, waiting and actions together. Default: the deadline.",
        unit="milliseconds",
        schema={"minimum": 1},
    )
    wait_timeout: int | None = option(
        None,
        "The longest time for `waitForSelector`, and for `waitForFunction`. Default: only "
        "`timeout` limits them.",
        unit="milliseconds",
        schema={"minimum": 1},
    )
    on_timeout: Literal["fail", "capture"] = option(
        "fail",
        "`capture`: when the time has passed, the page is captured as it is, and `data.timedOut` "
        "names what was waited for. After `waitTimeout` all other steps are done first.",
    )

    @field_validator("wait_for")
    @classmethod
    def _within_deadline(cls, wait_ms: int, info: ValidationInfo) -> int:
        longest_ms = limits_of(info).deadline_ms
        if not 0 <= wait_ms <= longest_ms:
            raise problem(f"must be an integer from 0 to {longest_ms} (milliseconds)")
        return wait_ms

    @field_validator("timeout", "wait_timeout")
    @classmethod
    def _at_most_deadline(cls, timeout_ms: int, info: ValidationInfo) -> int:
        longest_ms = limits_of(info).deadline_ms
        if not 1 <= timeout_ms <= longest_ms:
            raise problem(f"must be an integer from 1 to {longest_ms} (milliseconds)")
        return timeout_ms

    def conflicts(self) -> Iterator[str]:
        yield from super().conflicts()
        if self.timeout is not None and self.wait_for >= self.timeout:
            yield "waitFor must be shorter than timeout"

    @property
    def selector_wait(self) -> SelectorWait | None:
        """`wait_for_selector` in its long form."""
        if isinstance(self.wait_for_selector, str):
            return SelectorWait.model_validate({"selector": self.wait_for_selector})
        return self.wait_for_selector
