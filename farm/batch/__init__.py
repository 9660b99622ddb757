"""Many pages into one folder: their names, the record of what is done, and the run itself.

It renders nothing itself: it is given a function that makes a file of a page.
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
