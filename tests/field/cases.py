"""All cases, by their names."""

from tests.field.case import Case
from tests.field.kinds import documents, endless, fetched, framed, lazy, moving, own, public
from tests.field.site import Page

_KINDS = (public, fetched, framed, lazy, endless, documents, moving, own)

CASES: dict[str, Case] = {case.name: case for kind in _KINDS for case in kind.CASES}

#: What the site serves for them.
PAGES: dict[str, Page] = {case.name: case.page for case in CASES.values() if case.page is not None}
