"""Settings of callers: API keys, link keys, rate limits and origins."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from farm.callers import ApiKeys
from farm.links import LinkKeys
from farm.settings.group import Group, split


class Callers(Group):
    """Who may call the farm, and how often."""

    api_keys: SecretStr | None = Field(
        None,
        description="Who may call: `name:key` pairs, separated by commas; a key is 16 or more "
        "visible ASCII characters. `name:key:weight` gives a caller as many turns as its weight, "
        "1 to 100 (else 1), where others wait too. Unset, and no `FARM_API_KEYS_PATH`: everybody.",
    )
    api_keys_path: Path | None = Field(
        None,
        description="A file with these pairs, to be used instead: one pair a line, with blank "
        "lines and `#` comments. It is read when the farm starts or is reloaded.",
    )
    link_key: SecretStr | None = Field(
        None,
        description="The key that [links](links.md) are signed with: 32 or more visible ASCII "
        "characters without comma and colon, or `name:key`. Of several keys, separated by commas "
        "or spaces, all are accepted, and links are made with the first. Unset: no links.",
    )
    rate_limit: str | None = Field(
        None,
        description="How many renders and jobs a caller may ask for: `60/minute`, or several "
        "rates with `;` between. By API key, or by client address where there are none; of links, "
        "by the name of their key. Unset: any number.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may call the farm, separated by commas; `*` for any. "
        "Unset: no CORS headers.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return split(value)

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not origin.startswith(("http://", "https://")):
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.com")
        return origins

    @field_validator("api_keys")
    @classmethod
    def _check_api_keys(cls, pairs: SecretStr | None) -> SecretStr | None:
        if pairs is not None:
            ApiKeys.parse(pairs.get_secret_value())
        return pairs

    @field_validator("api_keys_path")
    @classmethod
    def _check_api_keys_file(cls, path: Path | None) -> Path | None:
        if path is not None:
            ApiKeys.read(path)
        return path

    @field_validator("link_key")
    @classmethod
    def _check_link_key(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            LinkKeys.parse(keys.get_secret_value())
        return keys

    @field_validator("rate_limit")
    @classmethod
    def _check_rate_limit(cls, rates: str | None) -> str | None:
        if rates is not None:
            # Imported here, since it needs packages of the server, which the client may lack.
            from farm.rates import parse_rates

            parse_rates(rates)
        return rates

    @cached_property
    def callers(self) -> ApiKeys | None:
        """The API keys; None: everybody may call. The file of keys is read once."""
        if self.api_keys_path:
            return ApiKeys.read(self.api_keys_path)
        return ApiKeys.parse(self.api_keys.get_secret_value()) if self.api_keys else None

    def weight_of(self, caller: str | None) -> int:
        """The turns that a caller gets in a queue for each turn of a caller of weight 1."""
        return self.callers.weight_of(caller) if self.callers else 1

    @cached_property
    def link_keys(self) -> LinkKeys | None:
        """The keys of signed links; None: the farm has no links."""
        return LinkKeys.parse(self.link_key.get_secret_value()) if self.link_key else None
