"""HTTP: the only room that knows Falcon. `create_app` is its door."""

from farm.web.app import create_app

__all__ = ["create_app"]
