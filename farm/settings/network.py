"""Settings of the egress policy: the hosts, addresses and amounts that pages may use."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from farm.policy import Names, Policy
from farm.settings.group import Group, split


class Network(Group):
    """What pages may reach; [security.md](security.md) has the whole of it."""

    egress: Literal["public", "none"] = Field(
        "public",
        description="What pages may reach: `public` addresses (ports 80, 443 and above 1023), or "
        "`none`; besides what `FARM_EGRESS_ALLOW` names.",
    )
    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks (`10.1.0.0/16`) and hosts (`intranet`, `*.example.com`, whatever "
        "their addresses) that pages may reach too, separated by commas.",
    )
    egress_deny: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks and hosts that pages may not reach, whatever else allows them.",
    )
    egress_max_connections: int = Field(
        64, ge=1, le=1000, description="Connections that one render may have at the same time."
    )
    egress_max_bytes: int = Field(
        268_435_456,
        ge=1,
        description="Bytes that one render may load and send; then it is cut off.",
    )
    url_credentials: Literal["refuse", "allow"] = Field(
        "refuse", description="What to do with a URL that carries a user name or a password."
    )

    @field_validator("egress_allow", "egress_deny", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return split(value)

    @field_validator("egress_allow", "egress_deny")
    @classmethod
    def _check_names(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        Names.parse(entries)
        return entries

    @property
    def egress_policy(self) -> Policy:
        """The egress policy of these settings."""
        return Policy(
            public=self.egress == "public",
            allow=Names.parse(self.egress_allow),
            deny=Names.parse(self.egress_deny),
        )
