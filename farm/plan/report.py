"""Prints a plan as text: a summary, a table of the needs, and the day hour by hour."""

from collections.abc import Collection, Iterator, Sequence

from farm.plan.plan import Part, Plan, Question
from farm.plan.simulation import Outcome

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR_CELLS = 16
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def lines(plan: Plan) -> Iterator[str]:
    """The whole report, for a terminal of 100 columns."""
    yield from _asked(plan.question)
    yield ""
    yield from _machines(plan)
    yield ""
    yield from _other_needs(plan)
    for title, part in (("Requests", plan.instances), ("Jobs", plan.workers)):
        if part is not None:
            yield ""
            yield f"{title}, hour by hour; p95 with {_lost(plan.question.target.lost)}:"
            yield ""
            yield from _day(part, plan.question.target.lost)


def _asked(question: Question) -> Iterator[str]:
    demand, mix, target = question.demand, question.mix, question.target
    hour, minutes = _rate(max(demand.hourly)), _rate(max(demand.rates))
    yield (
        f"demand   {demand.per_day:,.0f} renders a day: {hour} a second in the busiest hour, "
        f"{minutes} in its busiest minutes"
    )
    yield "mix      " + ", ".join(f"{kind.name} {share:.0%}" for kind, share in mix.shares.items())
    yield (
        f"         a render takes {mix.mean('work_ms'):.0f} ms of a core and waits "
        f"{mix.mean('waiting_ms'):.0f} ms; its file has {_size(mix.mean('file_bytes'))}"
    )
    if question.hit_share:
        share, ttl_s = question.hit_share, question.cache_ttl_s
        yield f"cache    answers {share:.0%} of the requests, and keeps files {ttl_s:,.0f} s"
    yield (
        f"target   p95 {target.p95_s:g} s, at most {target.refused_share:.2%} refused, cores at "
        f"most {target.busy_share:.0%} busy; {_lost(target.lost)}"
    )


def _lost(count: int) -> str:
    return f"{count} machine lost" if count == 1 else f"{count} machines lost"


def _machines(plan: Plan) -> Iterator[str]:
    type_ = plan.question.machine
    head = ("", "machines", "cores each", "GiB each", "cores", "GiB", "p95 s", "refused", "busy")
    rows = [head]
    for name, part in (("farm serve", plan.instances), ("farm worker", plan.workers)):
        if part is None:
            continue
        count, worst = part.machines, part.busiest.outcome
        rows.append(
            (
                f"{name} × {type_.worker_count}" if type_.worker_count > 1 else name,
                f"{count:,}",
                f"{type_.cores:g}",
                f"{plan.needs.machine_gib}",
                f"{count * type_.cores:,.0f}",
                f"{count * plan.needs.machine_gib:,}",
                _p95(worst),
                f"{worst.refused_share:.2%}",
                f"{part.busy_share(type_.cores):.0%}",
            )
        )
    yield from _table(rows)
    yield f"p95, refused and busy: in the busiest minutes with {_lost(plan.question.target.lost)}."


def _other_needs(plan: Plan) -> Iterator[str]:
    needs = plan.needs
    yield (
        f"answers      {_size(needs.answer_bytes_a_day)} a day, "
        f"{needs.peak_bits_a_second / 1e6:,.0f} Mbit/s in the busiest minutes"
    )
    if plan.workers is not None:
        yield (
            f"queue        {_size(needs.queue_bytes)} of Redis; "
            f"{_size(needs.job_file_bytes)} of jobs' files in the storage"
        )
    if needs.cache_bytes:
        yield f"cache        {_size(needs.cache_bytes)} of Redis, for files that live to their end"


def _day(part: Part, lost: int) -> Iterator[str]:
    most = max(hour.rate for hour in part.hours) or 1.0
    rows: list[Sequence[str]] = [("hour", "a second", "", "needed", "with lost", "p95 s")]
    for number, hour in enumerate(part.hours):
        rows.append(
            (
                f"{number:02}",
                _rate(hour.rate),
                _bar(hour.rate / most),
                f"{hour.needed:,}",
                f"{hour.needed + lost:,}",
                _p95(hour.outcome),
            )
        )
    yield from _table(rows, left=(2,))


def _table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> Iterator[str]:
    """The rows with aligned columns: to the right, but for the columns in `left`."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _p95(outcome: Outcome) -> str:
    """The 95th percentile; `-` if nothing was rendered in the hour."""
    return f"{outcome.p95_s:.2f}" if outcome.latencies_s else "-"


def _bar(share: float) -> str:
    eighths = round(share * _BAR_CELLS * 8)
    return (_BLOCKS[-1] * (eighths // 8) + _BLOCKS[eighths % 8]).rstrip().ljust(_BAR_CELLS)


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.3g} {unit}"
