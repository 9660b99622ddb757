"""The document of the API as a running farm answers it."""

import json
from pathlib import Path

from farm.contract.openapi import OPENAPI

#: The copy of docs/openapi.json that is installed with the farm.
PACKAGED = Path(__file__).parent / OPENAPI


def document(version: str) -> bytes:
    """The document of this version, whose server is the one that it comes from."""
    content = json.loads(PACKAGED.read_text())
    content["info"]["version"] = version
    content["servers"] = [{"url": "./"}]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
