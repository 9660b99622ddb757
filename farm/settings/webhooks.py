"""Settings of webhooks: the keys that sign deliveries, and the time of a try."""

import base64
import binascii

from pydantic import Field, SecretStr, field_validator

from farm.settings.group import Group

_PREFIX = "whsec_"
#: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
_KEY_BYTES = range(24, 65)


class Webhooks(Group):
    """Webhooks, which report the ends of jobs: [jobs.md](jobs.md#webhooks)."""

    webhook_secret: SecretStr | None = Field(
        None,
        description="The secret that signs deliveries, by the Standard Webhooks scheme: `whsec_` "
        "and 24 to 64 bytes in base64. While it is changed: several secrets, separated by spaces. "
        "Unset: deliveries are not signed.",
    )
    webhook_timeout_s: float = Field(
        20,
        gt=0,
        le=300,
        description="Seconds that one try of a delivery may take, a file that it sends included.",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, secrets: SecretStr | None) -> SecretStr | None:
        if secrets is not None and not _keys(secrets.get_secret_value()):
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return secrets

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys of all secrets, in their order; empty: deliveries are not signed."""
        return _keys(self.webhook_secret.get_secret_value()) if self.webhook_secret else ()


def _keys(secrets: str) -> tuple[bytes, ...]:
    """Raises `ValueError`, whose message contains no part of a secret."""
    return tuple(_key(secret.removeprefix(_PREFIX)) for secret in secrets.split())


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise ValueError("each must be whsec_ and 24 to 64 bytes in base64")
    return key
