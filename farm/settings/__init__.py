"""Every setting of the farm: an environment variable `FARM_…`, its unit, default, check and help.

`Settings.from_environment()` reads them all and reports everything that is wrong at once, unknown
`FARM_` names included, as one `SettingsError`. They are in groups, a file each; `docs/settings.md`
is generated from them, with a section for each group.
"""

from farm.settings.group import MAX_BODY_BYTES, MAX_CACHE_TTL_S, MAX_JOINED, MAX_SENDING
from farm.settings.settings import PREFIX, Settings, SettingsError

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_CACHE_TTL_S",
    "MAX_JOINED",
    "MAX_SENDING",
    "PREFIX",
    "Settings",
    "SettingsError",
]
