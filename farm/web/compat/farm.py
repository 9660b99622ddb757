"""The collaborators that routes of other services need."""

from dataclasses import dataclass
from typing import Any

from farm.downloading import Downloader
from farm.job import JobQueue
from farm.renderer import Renderer
from farm.settings import Settings
from farm.web.body import Bodies


@dataclass(frozen=True)
class Farm:
    renderer: Renderer[Any]
    bodies: Bodies
    queue: JobQueue
    settings: Settings
    #: None: the farm itself downloads nothing.
    downloader: Downloader | None = None
