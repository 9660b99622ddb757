"""The farm's own pages: the playground at `/`, the API page at `/docs`, and `/openapi.json`.

The folder `static` contains their files. They need no build step and load nothing from other hosts.
`FARM_PLAYGROUND=off` removes all pages.
"""

from collections.abc import Mapping

import farm
from farm.contract import document
from farm.settings import Settings
from farm.web.playground.files import File, Folder, static
from farm.web.playground.resources import (
    API_POLICY,
    PLAYGROUND_POLICY,
    FileResource,
    FolderResource,
    HasGet,
    HomeResource,
)
from farm.web.routes import Resource

#: Scripts that are not modules.
_SCRIPTS = ("scheme.js",)
_ROBOTS = b"User-agent: *\nDisallow: /\n"


def resources(settings: Settings, root: Resource | None = None) -> Mapping[str, Resource]:
    """The pages' resources, by their routes.

    `root`: the resource that answers clients of another service at `/`, if there is one.
    """
    if settings.playground == "off":
        return {}
    folder = static()
    of_folder = FolderResource(folder)
    other = root if isinstance(root, HasGet) else None
    return {
        "/": HomeResource(_page(folder, "index.html"), PLAYGROUND_POLICY, other),
        "/docs": FileResource(_page(folder, "api/index.html"), API_POLICY),
        "/openapi.json": FileResource(File(document(farm.__version__), "application/json")),
        "/robots.txt": FileResource(File(_ROBOTS, "text/plain; charset=utf-8")),
        "/playground/{digest}/{name}": of_folder,
        "/playground/{digest}/{name}/{inner}": of_folder,
    }


def _page(folder: Folder, path: str) -> File:
    """A page, with the paths of its files and the farm's version filled in."""
    file = folder.files[path]
    names = {
        "%MODULES%": "\n".join(_preloads(folder)),
        "%FILES%": f"playground/{folder.digest}",
        "%VERSION%": farm.__version__,
    }
    text = file.data.decode()
    for name, value in names.items():
        text = text.replace(name, value)
    return File(text.encode(), file.media_type)


def _preloads(folder: Folder) -> list[str]:
    """Links to all modules, so that the browser loads them at once and not one after another."""
    names = [name for name in sorted(folder.files) if name.endswith(".js")]
    modules = [name for name in names if name not in _SCRIPTS and not name.startswith("api/")]
    return [f'<link rel="modulepreload" href="%FILES%/{name}">' for name in modules]
