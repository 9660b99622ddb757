"""The egress policy: which hosts, addresses and ports pages may reach.

`farm.egress` enforces it. The settings parse it, and answers use its words. It is plain data and
pure functions: any thread may use it.
"""

from farm.policy.policy import (
    DENIED,
    NO_NETWORK,
    NOT_PUBLIC,
    PORT,
    Names,
    Policy,
    Refusal,
    Refused,
)

__all__ = [
    "DENIED",
    "NOT_PUBLIC",
    "NO_NETWORK",
    "PORT",
    "Names",
    "Policy",
    "Refusal",
    "Refused",
]
