"""Playwright's list of devices, read from the installed package: the farm has no list of its own.

Source: deviceDescriptorsSource.json, which the driver's bundle holds as a JavaScript object.
"""

import json
import re
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PACKAGE = "playwright"
#: In the folder of the package; the object there, and its keys that stand without quotes.
_BUNDLE = "driver/package/lib/coreBundle.js"
_LIST = re.compile(r"^ *deviceDescriptorsSource_default = (\{.*?^ *\});$", re.MULTILINE | re.DOTALL)
_BARE_KEY = re.compile(r"^( *)(\w+):", re.MULTILINE)
#: The largest `deviceScaleFactor` that may be asked for; one phone of the list has 4.5.
_MAX_SCALE = 4
#: How many names are offered for one that is not known.
_OFFERED = 3


@cache
def devices() -> dict[str, dict[str, Any]]:
    """The options that each device stands for, by the device's name.

    Raises `ModuleNotFoundError` without Playwright, and `RuntimeError` if this version of it has
    its list elsewhere.
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
    """Names of devices that are like one that is not known."""
    by_lower = {known.lower(): known for known in devices()}
    matches = get_close_matches(name.lower(), by_lower, _OFFERED, cutoff=0.5)
    return [by_lower[match] for match in matches]
