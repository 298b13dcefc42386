// --- other pages -------------------------------------------------------------------------------------
// A link to a shot of another page leads there; what moves within this page never hears of it.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".shots a, .cut a");
  if (link && !link.getAttribute("href").startsWith("#")) event.stopImmediatePropagation();
}, true);
// Drafts of other pages lie in the same store, where the browser has one for all files. Each page saves its own.
function openElsewhere() {
  let open = 0;
  try {
    for (let at = 0; at < localStorage.length; at += 1) {
      const key = localStorage.key(at);
      if (!key.startsWith(prefix) || takes.has(key)) continue;
      const kept = JSON.parse(localStorage.getItem(key));
      if (kept && typeof kept === "object" && !kept.saved) open += 1;
    }
  } catch { /* a private window, or not ours */ }
  return open;
}
function tellOfOthers() {
  const open = openElsewhere();
  byId("elsewhere").hidden = !open;
  byId("elsewhere").textContent = ` ${open === 1 ? "1 take is" : `${open} takes are`} decided on other pages, or earlier ones, and not saved.`;
}
document.addEventListener("decided", tellOfOthers);
window.addEventListener("storage", tellOfOthers);
window.addEventListener("pageshow", tellOfOthers);
tellOfOthers();
