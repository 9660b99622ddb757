// Tabs as screen readers and keyboards know them: arrows move, and what is moved to is chosen.

/** `choose(tab)` is called when another tab is. Returns `select(tab)`, which calls nobody. */
export function tabs(list, choose) {
  const all = () => [...list.querySelectorAll('[role="tab"]')];

  function select(tab) {
    for (const each of all()) {
      const isIt = each === tab;
      each.setAttribute("aria-selected", String(isIt));
      each.tabIndex = isIt ? 0 : -1;
    }
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (!tab) return;
    select(tab);
    choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const places = all().filter((tab) => tab.offsetParent !== null);
    const here = places.indexOf(document.activeElement);
    if (here < 0) return;
    let next = null;
    if (step) next = places[(here + step + places.length) % places.length];
    else if (event.key === "Home") next = places[0];
    else if (event.key === "End") next = places.at(-1);
    if (!next) return;
    event.preventDefault();
    select(next);
    next.focus();
    choose(next);
  });
  return select;
}
