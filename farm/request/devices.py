"""Reads Playwright's list of devices from the installed package.

`emulation` and the completion of flags use it. The list is deviceDescriptorsSource.json, which the
driver's bundle contains as a JavaScript object.
"""

import json
import re
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PACKAGE = "playwright"
#: The bundle's path in the package, the object in it, and the keys of the object without quotes.
_BUNDLE = "driver/package/lib/coreBundle.js"
_LIST = re.compile(r"^ *deviceDescriptorsSource_default = (\{.*?^ *\});$", re.MULTILINE | re.DOTALL)
_BARE_KEY = re.compile(r"^( *)(\w+):", re.MULTILINE)
#: The largest `deviceScaleFactor` of a request; one phone of the list has 4.5.
_MAX_SCALE = 4
#: The number of similar names that are offered for an unknown name.
_OFFERED = 3


@cache
def devices() -> dict[str, dict[str, Any]]:
    """The options that each device sets, by the device's name.

    Raises `ModuleNotFoundError` if Playwright is not installed, and `RuntimeError` if its version
    has the list in another place.
    """
    spec = find_spec(_PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(f"{_PACKAGE} is not installed", name=_PACKAGE)
    folders = spec.submodule_search_locations
    bundle = Path(folders[0], _BUNDLE).read_text() if folders else ""
    if (found := _LIST.search(bundle)) is None:
        raise RuntimeError("Playwright's list of devices is not where it was")
    listed: dict[str, dict[str, Any]] = json.loads(_BARE_KEY.sub(r'\1"\2":', found[1]))
    return {name: _options(device) for name, device in listed.items()}


def _options(device: dict[str, Any]) -> dict[str, Any]:
    options = {
        **device["viewport"],
        "deviceScaleFactor": min(device["deviceScaleFactor"], _MAX_SCALE),
        "userAgent": device["userAgent"],
        "mobile": device["isMobile"],
        "touch": device["hasTouch"],
    }
    if "screen" in device:
        options["screen"] = device["screen"]
    return options


def similar_devices(name: str) -> list[str]:
    """Names of devices that resemble an unknown name."""
    by_lower = {known.lower(): known for known in devices()}
    matches = get_close_matches(name.lower(), by_lower, _OFFERED, cutoff=0.5)
    return [by_lower[match] for match in matches]
