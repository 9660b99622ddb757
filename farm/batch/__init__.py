"""Renders many pages to one folder: file names, the record of finished files, and the run.

`farm render` (the command line) uses it. The package itself renders nothing: its caller passes a
function that renders a page.

- `sources`: the pages
- `names`: the names of their files
- `beside`: local files that a page refers to
- `record`: the finished files of a folder
- `run`: the threads that render
"""

from farm.batch.beside import as_assets, files_beside
from farm.batch.names import FIELDS, BadName, Template, name_all
from farm.batch.record import FolderInUse, Record
from farm.batch.run import Batch, Failure, Outcome, Stopped, Task, Unreadable, pending
from farm.batch.sources import SourceError, expand, is_url, read_list

__all__ = [
    "FIELDS",
    "BadName",
    "Batch",
    "Failure",
    "FolderInUse",
    "Outcome",
    "Record",
    "SourceError",
    "Stopped",
    "Task",
    "Template",
    "Unreadable",
    "as_assets",
    "expand",
    "files_beside",
    "is_url",
    "name_all",
    "pending",
    "read_list",
]
