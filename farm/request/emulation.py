"""The device, the browser and the user that the page sees."""

import re
import zoneinfo
from functools import cache
from typing import Any, Literal

from pydantic import field_validator, model_validator

from farm.formats import MAX_SIDE_PX
from farm.request.devices import devices, similar_devices
from farm.request.group import Group, option, problem

#: A well-formed BCP 47 tag: language, script, region, variants, extensions.
_LOCALE = re.compile(
    r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(-[a-wyz0-9](-[a-z0-9]{2,8})+)*",
    re.IGNORECASE,
)
#: The characters of a `User-Agent` header.
_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")


class Screen(Group):
    width: int = option(..., "The width of the screen.", unit="pixels", ge=1, le=MAX_SIDE_PX)
    height: int = option(..., "The height of the screen.", unit="pixels", ge=1, le=MAX_SIDE_PX)


class Geolocation(Group):
    latitude: float = option(
        ..., "The latitude, positive north of the equator.", unit="degrees", ge=-90, le=90
    )
    longitude: float = option(
        ..., "The longitude, positive east of Greenwich.", unit="degrees", ge=-180, le=180
    )
    accuracy: float = option(
        0,
        "The accuracy of the position: the radius in which the device is.",
        unit="metres",
        ge=0,
        le=1_000_000,
    )


class Emulation(Group):
    device: str | None = option(
        None,
        "A name of Playwright's list of devices (`iPhone 15`): its viewport, screen, scale, user "
        "agent, `mobile` and `touch`. Each of these that is given as well wins.",
        unit="characters",
        max_length=100,
    )
    mobile: bool = option(
        False, "Heed `<meta name=viewport>` and draw scrollbars over the page, as phones do."
    )
    touch: bool = option(False, "The screen can be touched.")
    screen: Screen | None = option(
        None, "The size of the screen that scripts and `device-width` see; else the viewport's."
    )
    user_agent: str | None = option(
        None,
        "What the browser says it is, in the `User-Agent` header and to scripts.",
        unit="characters",
        min_length=1,
        max_length=1000,
    )
    locale: str | None = option(
        None,
        "A BCP 47 language tag (`de-CH`): `Accept-Language`, `navigator.language`, and how dates "
        "and numbers are written.",
        min_length=2,
        unit="characters",
        max_length=100,
        schema={"examples": ["en-US", "de-CH", "fr-FR", "ar-EG", "hi-IN", "ja-JP", "zh-CN"]},
    )
    timezone: str | None = option(
        None,
        "A name of the IANA time zone database (`Europe/Zurich`).",
        unit="characters",
        max_length=100,
        schema={
            "examples": ["UTC", "Europe/Zurich", "America/New_York", "Asia/Tokyo", "Asia/Kolkata"]
        },
    )
    geolocation: Geolocation | None = option(
        None, "The position that the page gets; it has the permission to ask for it."
    )
    color_scheme: Literal["light", "dark"] = option("light", "What `prefers-color-scheme` is.")
    reduced_motion: Literal["no-preference", "reduce"] = option(
        "no-preference", "What `prefers-reduced-motion` is."
    )
    forced_colors: Literal["none", "active"] = option("none", "What `forced-colors` is.")
    contrast: Literal["no-preference", "more", "less"] = option(
        "no-preference", "What `prefers-contrast` is."
    )
    media_type: Literal["screen", "print"] | None = option(
        None, "The CSS media type; else `print` for PDFs, and `screen` for pictures."
    )
    java_script: bool = option(
        True, "Whether scripts of the page run; without them `<noscript>` is shown."
    )
    animations: Literal["run", "finish"] = option(
        "run",
        "`finish`: CSS animations and transitions are captured at their end; those without an end "
        "as if they had not begun.",
    )

    deterministic: bool = option(
        False,
        "The same bytes each time: the clock begins at a fixed moment and advances by what the "
        "page waits for, random numbers are always the same, animations are finished.",
    )

    @property
    def finishes_animations(self) -> bool:
        return self.animations == "finish" or self.deterministic

    @model_validator(mode="before")
    @classmethod
    def _options_of_device(cls, fields: Any) -> Any:
        """Replace `device` by the options that it sets, so that later code needs no device.

        An option in the request overrides the device's, even if it has its default value. Only here
        does it matter whether an option was given.
        """
        name = fields.get("device") if isinstance(fields, dict) else None
        if not isinstance(name, str) or name not in devices():
            return fields
        others = {key: value for key, value in fields.items() if key != "device"}
        return devices()[name] | others

    @field_validator("device")
    @classmethod
    def _known_device(cls, name: str) -> str:
        """Raises a problem: `_options_of_device` has already replaced a known device."""
        similar = similar_devices(name)
        offer = f"; like it are {', '.join(similar)}" if similar else ""
        raise problem(f"must be a name of Playwright's list of devices{offer}")

    @field_validator("user_agent")
    @classmethod
    def _header_value(cls, user_agent: str) -> str:
        if _PRINTABLE.fullmatch(user_agent) is None:
            raise problem("must be printable ASCII, without spaces around it")
        return user_agent

    @field_validator("locale")
    @classmethod
    def _language_tag(cls, locale: str) -> str:
        if _LOCALE.fullmatch(locale) is None:
            raise problem("must be a BCP 47 language tag, such as de-CH")
        return locale

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        if name not in _timezones():
            raise problem("must be a name of the IANA time zone database, such as Europe/Zurich")
        return name


@cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
