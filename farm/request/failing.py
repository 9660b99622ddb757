"""Which failures of the page make the answer an error instead of a file."""

import re
from typing import Any

from pydantic import field_validator

from farm.request.group import Group, option, problem

_MOST = 50
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_LOWEST, _HIGHEST = 100, 599
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,253}")
_STATUS = {"type": "integer", "minimum": _LOWEST, "maximum": _HIGHEST}
_SCHEMA = {"items": {"anyOf": [_STATUS, {"enum": list(_CLASSES)}]}}
_WHAT = f"must be a list of at most {_MOST} statuses (404) and classes of them (5xx)"


class FailOn(Group):
    status: tuple[int | str, ...] = option(
        (),
        'HTTP statuses of the document that is captured: `[404, "5xx"]`.',
        max_length=_MOST,
        schema=_SCHEMA,
    )
    resource_status: tuple[int | str, ...] = option(
        (),
        "HTTP statuses of the resources that the document has loaded.",
        max_length=_MOST,
        schema=_SCHEMA,
    )
    ignore_hosts: tuple[str, ...] = option(
        (),
        "Hosts whose answers do not count for `resourceStatus`, nor those of hosts below them.",
        max_length=_MOST,
        schema={"items": {"type": "string", "pattern": f"^{_HOST.pattern}$"}},
    )
    resource_error: bool = option(False, "A request of the document got no answer, or was refused.")
    page_error: bool = option(False, "A script of the page threw an error that nothing caught.")
    missing_selector: bool = option(False, "A selector of `click` matched nothing to be clicked.")

    @field_validator("status", "resource_status", mode="before")
    @classmethod
    def _statuses(cls, value: Any) -> Any:
        values = value if isinstance(value, list | tuple) else [None]
        if len(values) > _MOST or not all(map(_is_status, values)):
            raise problem(_WHAT)
        return tuple(values)

    @field_validator("ignore_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_HOST.fullmatch, hosts)):
            raise problem("each must be a host name, such as example.com, or an address")
        return tuple(host.lower() for host in hosts)

    def ignores(self, host: str) -> bool:
        """Whether the host, in lower case, is in `ignore_hosts` or is a subdomain of one."""
        return any(host == each or host.endswith(f".{each}") for each in self.ignore_hosts)


def _is_status(value: Any) -> bool:
    if isinstance(value, str):
        return value in _CLASSES
    return isinstance(value, int) and not isinstance(value, bool) and _LOWEST <= value <= _HIGHEST


def includes_status(statuses: tuple[int | str, ...], status: int) -> bool:
    """Whether `statuses` contains the status or its class."""
    return status in statuses or f"{status // 100}xx" in statuses


_NOTHING = FailOn()


class Failing(Group):
    fail_on: FailOn = option(
        _NOTHING, "What makes the render an error (`page_failed`) in place of a file."
    )
