// Sets the scheme before anything is painted: the reader's own choice, or else the system's.
(function () {
  let chosen = null;
  try {
    chosen = localStorage.getItem("scheme");
  } catch {
    // Storage is forbidden: the system's it is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.scheme = chosen;
})();
