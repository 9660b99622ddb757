"""Settings of rendering: the number of concurrent renders, and the limits of each."""

from pydantic import Field

from farm.settings.group import Group


class Rendering(Group):
    """How many renders there are at the same time, and what each may take."""

    pages_per_browser: int = Field(
        32,
        ge=1,
        le=64,
        description="Pages a browser renders at the same time: eight for each core, and more where "
        "some take longer than three seconds.",
    )
    max_waiting: int = Field(
        32, ge=0, le=1000, description="Renders that may wait in a worker's queue for a page."
    )
    render_deadline_s: float = Field(
        30,
        gt=0,
        le=600,
        description="Seconds a render may take, its wait in the queue included; then it is a 504.",
    )
    settle_max_s: float = Field(
        5,
        gt=0,
        le=600,
        description="Seconds after its `load` event in which a page may finish loading; then it is "
        "captured as it is, and the answer says what it lacks.",
    )
    deterministic_epoch: float = Field(
        1_735_689_600,
        ge=0,
        le=4_102_444_800,
        description="Where the clock of a `deterministic` render begins, in seconds since 1970.",
    )
    max_pixels: int = Field(
        67_108_864,
        ge=1,
        description="Largest image, in pixels (width × height); 4 bytes each in the browser.",
    )
    max_output_bytes: int = Field(
        134_217_728, ge=1, description="Largest file that a render may make."
    )
    max_pdf_pages: int = Field(1000, ge=1, description="Pages that a PDF may have.")
    max_page_height_px: int = Field(
        2_000_000,
        ge=1,
        description="CSS pixels that a document may be high if it is to be a PDF or a "
        "`fullPage` picture; checked before the file is made.",
    )
