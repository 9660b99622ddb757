"""The screen and the CSS medium that a page sees.

`page` uses it, in greenlets of the browser's thread.
"""

from dataclasses import dataclass
from typing import Any

#: The orientations of a phone.
_PORTRAIT = {"angle": 0, "type": "portraitPrimary"}
_LANDSCAPE = {"angle": 90, "type": "landscapePrimary"}


@dataclass(frozen=True)
class Looks:
    """Parameters of two commands: Playwright's defaults, unless the request changes them.

    Source: https://chromedevtools.github.io/devtools-protocol/tot/Emulation/
    """

    #: The viewport behaves as a phone's.
    is_mobile: bool = False
    #: The width and height of the screen, if they are not the viewport's.
    screen: tuple[int, int] | None = None
    #: The CSS media type. Empty: `print` when a PDF is made, else `screen`.
    media: str = ""
    # CSS media features, with Chromium's defaults. If they are not set, a frame in a dark element
    # is dark; see docs/fidelity.md.
    color_scheme: str = "light"
    reduced_motion: str = "no-preference"
    forced_colors: str = "none"
    contrast: str = "no-preference"

    def metrics(self, width: int, height: int, scale: float) -> dict[str, Any]:
        """For `Emulation.setDeviceMetricsOverride`: a viewport of that size and scale."""
        screen_width, screen_height = self.screen or (width, height)
        metrics: dict[str, Any] = {
            "width": width,
            "height": height,
            "screenWidth": screen_width,
            "screenHeight": screen_height,
            "deviceScaleFactor": scale,
            "mobile": self.is_mobile,
        }
        if self.is_mobile:
            is_upright = screen_width <= screen_height
            metrics["screenOrientation"] = _PORTRAIT if is_upright else _LANDSCAPE
        return metrics

    @property
    def medium(self) -> dict[str, Any]:
        """For `Emulation.setEmulatedMedia`."""
        features = {
            "prefers-color-scheme": self.color_scheme,
            "prefers-reduced-motion": self.reduced_motion,
            "forced-colors": self.forced_colors,
            "prefers-contrast": self.contrast,
        }
        pairs = [{"name": name, "value": value} for name, value in features.items()]
        return {"media": self.media, "features": pairs}
