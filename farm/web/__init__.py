"""HTTP: the WSGI application. Only this package uses Falcon, and gunicorn (`serving/`).

`create_app` makes the application. gunicorn's worker asks the application's `gate` before it reads
a request's body.
"""

from farm.web.app import create_app
from farm.web.gate import Gate

__all__ = ["Gate", "create_app"]
