"""Pages as Puppeteer's users describe them: what bodies of browserless and Cloudflare share.

A service's fields are declared once each, with what they become here (`declared`); `Draft` is the
farm's own request while it is put together. `page` has what is asked of every page, `capture` how a
picture or a PDF of it is made, `reading` what is read out of it.
"""
