"""Signs webhooks by the Standard Webhooks scheme.

The headers name the message and the time of the try, and sign both together with the body. The
package `standardwebhooks` signs only text; the farm also sends files, which are read in pieces. The
tests verify the signatures with that package.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence


def headers(
    keys: Sequence[bytes], message_id: str, timestamp_s: int, body: Iterable[bytes]
) -> dict[str, str]:
    """The headers of one try. Without keys there is no signature, and `body` is not read."""
    unsigned = {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s)}
    if not keys:
        return unsigned
    head = f"{message_id}.{timestamp_s}.".encode()
    signatures = [hmac.new(key, head, hashlib.sha256) for key in keys]
    for piece in body:
        for signature in signatures:
            signature.update(piece)
    texts = [base64.b64encode(signature.digest()).decode() for signature in signatures]
    return unsigned | {"webhook-signature": " ".join(f"v1,{text}" for text in texts)}
