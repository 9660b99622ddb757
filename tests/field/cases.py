"""All cases, by their names."""

from tests.field.case import Case
from tests.field.kinds import (
    answers,
    documents,
    fetched,
    framed,
    lazy,
    moving,
    never,
    opened,
    own,
    public,
    staying,
    streaming,
    styled,
    unending,
)
from tests.field.site import Page

_KINDS = (
    public,
    fetched,
    styled,
    framed,
    lazy,
    streaming,
    never,
    opened,
    answers,
    documents,
    moving,
    unending,
    staying,
    own,
)

CASES: dict[str, Case] = {case.name: case for kind in _KINDS for case in kind.CASES}

#: What the site serves for them.
PAGES: dict[str, Page] = {case.name: case.page for case in CASES.values() if case.page is not None}
