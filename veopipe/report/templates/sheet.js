const root = document.documentElement;
const byId = (id) => document.getElementById(id);
root.classList.add("scripted");

// --- the cards, read once -------------------------------------------------------------------
const words = (element, selector) => Array.from(element.querySelectorAll(selector), (each) => each.textContent);
const items = Array.from(document.querySelectorAll(".card"), (card) => ({
  card,
  status: card.dataset.status,
  tags: new Set(words(card, ".tags .tag")),
  text: [card.id.slice(5), ...words(card, ".edge, .text, .earlier, .who, .noted")].join(" ").toLowerCase(),
  shows: { stale: "stale" in card.dataset, new: "new" in card.dataset, undecided: false },
  several: card.classList.contains("several"),
  videos: Array.from(card.querySelectorAll("video")),
  takes: [],
  at: 0,
}));
const itemOf = new Map(items.map((item) => [item.card, item]));
let visible = items;
let current = -1;

// --- filters --------------------------------------------------------------------------------
const search = byId("search");
const chips = Array.from(document.querySelectorAll(".chip"));
const pressed = (name) => new Set(
  chips.filter((chip) => chip.dataset[name] !== undefined && chip.getAttribute("aria-pressed") === "true")
    .map((chip) => chip.dataset[name]));
let waiting = 0;

function filter() {
  waiting = 0;
  const statuses = pressed("status");
  const tags = pressed("tag");
  const shows = pressed("show");
  const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = current >= 0 ? visible[current] : null;
  visible = items.filter((item) => {
    const fits = (!statuses.size || statuses.has(item.status))
      && (!tags.size || Array.from(tags).some((tag) => item.tags.has(tag)))
      && Array.from(shows).every((kind) => item.shows[kind])
      && asked.every((word) => item.text.includes(word));
    if (item.card.hidden === fits) item.card.hidden = !fits;
    return fits;
  });
  current = chosen ? visible.indexOf(chosen) : -1;
  const all = visible.length === items.length;
  byId("shown").textContent = all ? `${items.length} shots` : `${visible.length} of ${items.length} shots`;
  byId("clear").hidden = !(statuses.size || tags.size || shows.size || asked.length);
  byId("nothing").hidden = visible.length > 0;
}
const soon = () => { waiting = waiting || requestAnimationFrame(filter); };

function clear() {
  search.value = "";
  chips.forEach((chip) => chip.setAttribute("aria-pressed", "false"));
  filter();
}
search.addEventListener("input", soon);
chips.forEach((chip) => chip.addEventListener("click", () => {
  chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
  filter();
}));
byId("clear").addEventListener("click", clear);
byId("clear-too").addEventListener("click", clear);

// --- moving ---------------------------------------------------------------------------------
function go(index) {
  if (!visible.length) return;
  current = Math.max(0, Math.min(visible.length - 1, index));
  const card = visible[current].card;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}
function show(id) {
  const item = items.find((each) => each.card.id === id);
  if (!item) return;
  if (item.card.hidden) clear();
  current = visible.indexOf(item);
  item.card.focus({ preventScroll: true });
  item.card.scrollIntoView({ block: "center" });
}
document.querySelectorAll(".shots a, .cut a").forEach((link) => link.addEventListener("click", (event) => {
  event.preventDefault();
  show(decodeURIComponent(link.getAttribute("href").slice(1)));
}));
document.addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  if (card) current = visible.findIndex((item) => item.card === card);
});
