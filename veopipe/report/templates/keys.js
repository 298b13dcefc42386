// --- light and dark -------------------------------------------------------------------------
const remembered = (() => { try { return localStorage.getItem("veopipe-theme"); } catch { return null; } })();
if (remembered === "light" || remembered === "dark") root.dataset.theme = remembered;
function turn() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("veopipe-theme", root.dataset.theme); } catch { /* private windows keep nothing */ }
}
byId("theme").addEventListener("click", turn);
byId("keys").addEventListener("click", () => byId("help").showModal());

// --- keys -----------------------------------------------------------------------------------
const here = () => (current >= 0 ? visible[current] : null);
const details = () => (here() ? here().card.querySelector("details") : null);
const next = (fits) => {
  const found = visible.findIndex((item, index) => index > current && fits(item));
  if (found >= 0) go(found);
};
const keys = {
  "/": () => { search.focus(); search.select(); },
  j: () => go(current + 1),
  k: () => go(current - 1),
  n: () => next((item) => item.status !== "verified"),
  u: () => next((item) => item.shows.undecided),
  x: () => act(here(), "reject"),
  a: () => act(here(), "alt"),
  r: () => act(here(), "again"),
  s: () => openSeam(here()),
  m: () => { const take = takeAt(here()); if (take && take.note) take.note.focus(); },
  ArrowLeft: () => aim(here(), -1),
  ArrowRight: () => aim(here(), 1),
  f: () => { const v = videoAt(here()); if (v && v.requestFullscreen) v.requestFullscreen().catch(() => {}); },
  t: turn,
  "?": () => byId("help").showModal(),
  Enter: () => { const d = details(); if (d) d.open = !d.open; },
  " ": () => toggle(here(), videoAt(here())),
  Escape: clear,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = event.target;
  if (target === search) {
    if (event.key === "Escape") { clear(); search.blur(); }
    if (event.key === "Enter") { filter(); go(0); event.preventDefault(); }
    return;
  }
  if (target.tagName === "TEXTAREA") {
    if (event.key === "Escape") target.closest(".card").focus({ preventScroll: true });
    return;
  }
  if (target.type === "range" && event.key.startsWith("Arrow")) return;
  const own = target.closest("button, a, summary, input, video");
  if (own && (event.key === "Enter" || event.key === " ")) return;
  const action = /^[1-9]$/.test(event.key) ? () => pickNumber(here(), event.key) : keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

filter();
if (location.hash.startsWith("#shot-")) show(decodeURIComponent(location.hash.slice(1)));
root.dataset.ready = "yes";
