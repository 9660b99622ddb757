"""The facts about the captured document that every answer has. They cost no command."""

from farm.parsing import MAX_URL_LENGTH, without_login
from farm.render.page.work import Work


def tell(work: Work) -> None:
    document = work.activity.document
    if work.request.url is not None:
        work.facts["finalUrl"] = without_login(document.url)[:MAX_URL_LENGTH]
        if document.url.startswith(("http://", "https://")):
            work.facts["status"] = document.status
    if document.title:
        work.facts["title"] = document.title
