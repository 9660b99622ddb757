"""Pages as Puppeteer describes them: what the bodies of browserless and Cloudflare have in common.

Each field of a service is declared once, with what it becomes in the farm's request (`declared`).
`Draft` is that request while it is built. `page` has the fields of every page, `capture` those of
pictures and PDFs, `network` those of requests, and `reading` gets values out of a page.
"""
