"""The Standard Webhooks scheme: which message it is, when it is sent, and signatures of both and
of the body.

Not by the package `standardwebhooks`, which signs text alone: a file is no text, and is read in
pieces here. The tests verify with it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence


def headers(
    keys: Sequence[bytes], message_id: str, timestamp_s: int, body: Iterable[bytes]
) -> dict[str, str]:
    """Of one try. Without keys `body` is not read, and nothing is signed."""
    told = {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s)}
    if not keys:
        return told
    head = f"{message_id}.{timestamp_s}.".encode()
    signatures = [hmac.new(key, head, hashlib.sha256) for key in keys]
    for piece in body:
        for signature in signatures:
            signature.update(piece)
    texts = [base64.b64encode(signature.digest()).decode() for signature in signatures]
    return told | {"webhook-signature": " ".join(f"v1,{text}" for text in texts)}
