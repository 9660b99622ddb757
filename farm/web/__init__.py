"""HTTP: the only room that knows Falcon, and gunicorn (`serving/`).

`create_app` is its door, and the application's `gate` what gunicorn's worker asks before it reads a
body.
"""

from farm.web.app import create_app
from farm.web.gate import Gate

__all__ = ["Gate", "create_app"]
