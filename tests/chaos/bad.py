"""A page that behaves badly."""

from dataclasses import dataclass, field


def codes(*names: str) -> frozenset[str]:
    return frozenset(names)


@dataclass(frozen=True)
class Bad:
    """A page, or the path of one on the bad site; the codes that may answer it (`ok`: a file)."""

    name: str
    html: str = ""
    path: str = ""
    codes: frozenset[str] = field(default=codes("render_timeout"))
    format: str = "png"
    #: Milliseconds that it is left to itself before it is captured.
    wait_ms: int = 0

    @property
    def options(self) -> dict[str, object]:
        return {"format": self.format, "waitFor": self.wait_ms}
