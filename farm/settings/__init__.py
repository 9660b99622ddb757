"""The farm's settings: environment variables `FARM_…`, each with unit, default, check and help.

The composition roots call `Settings.from_environment()` at start, in the main thread. It reports
all wrong values and unknown `FARM_` names at once, as one `SettingsError`. `Settings` consists of
groups, a file each. `farm settings` generates `docs/settings.md` from them, a section for each
group.
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
