"""What pages may reach: the words of the egress policy, which settings and answers use too.

`farm.egress` is what holds pages to it.
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
