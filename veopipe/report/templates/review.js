// --- decisions: a draft in this browser, until they are saved as a file ---------------------------------
// Each take has its record, as the page was made with it, and perhaps a draft of what differs. A draft is kept under
// the ledger's id and the take's file, so that tomorrow's page, and another window, find it.
const { ledger, made, about } = document.body.dataset;
const WORDS = { pick: "picked", alt: "alt", reject: "rejected" };
const prefix = `veopipe-review:${ledger}:`;
let keeps = true;
const memory = new Map();  // where a private window keeps nothing
const store = {
  get: (key) => { try { return localStorage.getItem(key) ?? memory.get(key) ?? null; } catch { keeps = false; return memory.get(key) ?? null; } },
  set: (key, text) => { try { localStorage.setItem(key, text); } catch { keeps = false; memory.set(key, text); } },
  drop: (key) => { memory.delete(key); try { localStorage.removeItem(key); } catch { keeps = false; } },
};
const takes = new Map();

items.forEach((item) => item.card.querySelectorAll(".take").forEach((element) => {
  const { number, name, digits, output, verdict } = element.dataset;
  const note = element.querySelector("textarea");
  const record = { verdict: verdict || null, again: "again" in element.dataset, note: note ? note.defaultValue : "" };
  const take = { element, item, number, name, digits, output, note, record, draft: null, key: `${prefix}${name}@${digits}` };
  item.takes.push(take);
  if (name) takes.set(take.key, take);
}));
items.forEach((item) => { item.at = Math.max(0, item.takes.findIndex((take) => take.record.verdict === "pick")); });

const now = (take) => ({ ...take.record, ...take.draft });
const isOpen = (take) => take.draft !== null && !take.draft.saved;
const takeAt = (item) => (item && item.takes[item.at]) || null;
const videoAt = (item) => (takeAt(item) ? takeAt(item).element.querySelector("video") : null);

function isUndecided(item) {
  const picks = item.takes.filter((take) => "here" in take.element.dataset && now(take).verdict === "pick").length;
  const left = item.takes.filter((take) => "eligible" in take.element.dataset && now(take).verdict !== "reject").length;
  return (picks || left) > 1;
}

// --- what is seen of them ---------------------------------------------------------------------------
function paint(take) {
  const { verdict, again, note } = now(take);
  const element = take.element;
  element.dataset.verdict = verdict || "";
  element.classList.toggle("drafted", take.draft !== null);
  element.querySelectorAll("[data-act]").forEach((button) => {
    const on = button.dataset.act === "again" ? again : button.dataset.act === verdict;
    button.setAttribute("aria-pressed", String(on));
  });
  const mark = element.querySelector(".mark");
  if (mark) mark.textContent = WORDS[verdict] || "";
  if (take.note && take.note.value !== note) take.note.value = note;
}
function count(item) {
  item.shows.undecided = isUndecided(item);
  const two = item.card.querySelector(".badge.two-picks");
  if (two) two.hidden = !item.shows.undecided;
}
const dollars = (micros) => (Math.ceil(micros / 1e4) / 100)  // up to the cent, as all that is to come
  .toLocaleString("en-US", { style: "currency", currency: "USD" });
function summary(drafts) {
  const said = drafts.map((take) => [take, now(take)]);
  const number = (verdict) => said.filter(([take, each]) => each.verdict === verdict && take.record.verdict !== verdict).length;
  const wishes = said.filter(([take, each]) => each.again && !take.record.again);
  const priced = wishes.filter(([take]) => "text" in take.element.dataset);
  const cost = priced.reduce((sum, [take]) => sum + Math.round(1e6 * Number(take.item.card.dataset.usd)), 0);
  const parts = [["pick", "picked"], ["alt", "alt"], ["reject", "rejected"]]
    .map(([verdict, word]) => [number(verdict), word]).filter(([many]) => many).map(([many, word]) => `${many} ${word}`);
  if (wishes.length) parts.push(`${wishes.length} once more (${dollars(cost)} if the next run buys it)`);
  const takesSaid = drafts.length === 1 ? "1 take" : `${drafts.length} takes`;
  return `${takesSaid} decided${parts.length ? ": " : ""}${parts.join(", ")}`;
}
const name = () => store.get("veopipe-name") || "";
const drafted = () => Array.from(takes.values()).filter((take) => take.draft !== null);
function tell() {
  const drafts = drafted();
  const open = drafts.filter(isOpen).length;
  byId("bar").hidden = !drafts.length;
  root.classList.toggle("deciding", drafts.length > 0);
  byId("said").textContent = summary(drafts);
  byId("kept").textContent = !open ? "Saved as decisions.json: send it to who keeps the list."
    : keeps ? "Kept in this browser until you save." : "This browser keeps no drafts: save before you leave.";
  byId("save").textContent = open ? "Save decisions" : "Save again";
  byId("rename").hidden = !name();
  byId("rename").textContent = `as ${name()}`;
  const chip = document.querySelector('[data-show="undecided"] b');
  if (chip) chip.textContent = items.filter((item) => item.shows.undecided).length;
  document.dispatchEvent(new Event("decided"));
}

// --- saying -----------------------------------------------------------------------------------------
function say(take, changes) {
  const wanted = { ...now(take), ...changes };
  delete wanted.saved;
  const differs = Object.keys(take.record).filter((key) => wanted[key] !== take.record[key]);
  take.draft = differs.length ? Object.fromEntries(differs.map((key) => [key, wanted[key]])) : null;
  if (take.draft) store.set(take.key, JSON.stringify(take.draft)); else store.drop(take.key);
  paint(take);
  count(take.item);
}
const rivals = (take) => take.item.takes
  .filter((other) => other !== take && other.output === take.output && now(other).verdict === "pick");
function pick(take) {
  rivals(take).forEach((other) => say(other, { verdict: "alt" }));
  say(take, { verdict: "pick" });
}
function act(item, what, take = takeAt(item)) {
  if (!take || !take.note) return;
  const { verdict, again } = now(take);
  if (what === "again") say(take, { again: !again });
  else if (what === "pick" && (verdict !== what || rivals(take).length)) pick(take);
  else if (verdict === what) say(take, { verdict: null });
  else say(take, { verdict: what });
  tell();
}
function aim(item, step, to = item ? item.at + step : 0) {
  if (!item || !item.takes[to]) return;
  item.takes.forEach((take, index) => take.element.classList.toggle("aimed", index === to));
  item.at = to;
  if (step) item.takes[to].element.scrollIntoView({ block: "nearest", inline: "nearest" });
}
function pickNumber(item, number) {
  const index = item ? item.takes.findIndex((take) => take.number === number) : -1;
  if (index < 0) return;
  aim(item, 0, index);
  act(item, "pick");
}
const saidOf = (target) => {
  const card = target.closest(".card");
  const element = target.closest(".take");
  const item = card && itemOf.get(card);
  return item && element ? item.takes.find((take) => take.element === element) : null;
};
byId("sheet").addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  const take = button && saidOf(button);
  if (take) act(take.item, button.dataset.act, take);
});
byId("sheet").addEventListener("input", (event) => {
  const take = event.target.tagName === "TEXTAREA" && saidOf(event.target);
  if (take) { say(take, { note: event.target.value }); tell(); }
});
byId("sheet").addEventListener("focusin", (event) => {
  const item = itemOf.get(event.target.closest(".card"));
  const take = saidOf(event.target);
  if (item) aim(item, 0, take ? item.takes.indexOf(take) : item.at);
});
byId("sheet").addEventListener("pointerdown", (event) => {
  const take = saidOf(event.target);
  if (take) aim(take.item, 0, take.item.takes.indexOf(take));
});

// --- saving -----------------------------------------------------------------------------------------
// Only what differs is said, so that an older page overwrites nothing else. A verdict that is taken back takes the wish
// with it, but for one that is said beside it.
function decisionsOf(take) {
  const head = { take: take.name, file: `sha256:${take.digits}` };
  const said = Object.fromEntries(Object.keys(take.record).filter((key) => key in take.draft).map((key) => [key, take.draft[key]]));
  if (said.note) said.note = said.note.trim();
  const stays = said.verdict === null && now(take).again;
  return { ...head, ...said, ...(stays ? { again: true } : {}), ...(name() ? { by: name() } : {}) };
}
function hand(text, file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
function save() {
  if (!name()) { ask(save); return; }
  const drafts = drafted();
  const document_ = { version: 1, ledger, decisions: drafts.map(decisionsOf) };
  hand(JSON.stringify(document_, null, 1) + "\n", "decisions.json");
  drafts.forEach((take) => {
    take.draft.saved = made;
    store.set(take.key, JSON.stringify(take.draft));
  });
  tell();
}
let asked = null;
function ask(then) {
  asked = then;
  byId("name").value = name();
  byId("who").showModal();
}
byId("who").addEventListener("close", () => {
  const said = byId("name").value.trim();
  if (byId("who").returnValue === "ok" && said) {
    store.set("veopipe-name", said);
    tell();
    if (asked && name()) asked();
  }
  byId("who").returnValue = "";
  asked = null;
});
byId("rename").addEventListener("click", () => ask(null));
byId("save").addEventListener("click", save);
byId("discard").addEventListener("click", () => {
  if (!window.confirm("Forget what you decided on this page?")) return;
  drafted().forEach((take) => say(take, take.record));
  tell();
});

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
function commandsOf(take) {
  const wanted = now(take);
  const begin = `veopipe review ${about} ${take.item.card.id.slice(5)}`;
  const by = name() ? ` --by ${quoted(name())}` : "";
  const clears = (take.record.verdict && !wanted.verdict) || (take.record.again && !wanted.again);
  const before = clears ? { ...take.record, verdict: null, again: false } : take.record;
  const note = wanted.note.trim() === before.note.trim() ? "" : ` --note ${quoted(wanted.note.trim())}`;
  const again = wanted.again && !before.again ? " --again" : "";
  const rest = wanted.verdict !== before.verdict || again || note;
  const lines = clears ? [`${begin} --clear ${take.number}${by}`] : [];
  return rest ? [...lines, `${begin} --${wanted.verdict || "take"} ${take.number}${again}${note}${by}`] : lines;
}
byId("as-commands").addEventListener("click", () => {
  byId("lines").value = drafted().flatMap(commandsOf).join("\n");
  byId("commands").showModal();
  byId("lines").select();
});

// --- what was kept ----------------------------------------------------------------------------------
function read(take) {
  let kept = null;
  try { kept = JSON.parse(store.get(take.key)); } catch { /* not ours */ }
  const fine = {};
  if (kept && typeof kept === "object" && !(kept.saved && kept.saved !== made)) {
    if (kept.verdict === null || Object.hasOwn(WORDS, kept.verdict)) fine.verdict = kept.verdict;
    if (typeof kept.again === "boolean") fine.again = kept.again;
    if (typeof kept.note === "string") fine.note = kept.note.slice(0, 10000);
  }
  const differs = Object.keys(fine).filter((key) => fine[key] !== take.record[key]);
  const before = take.draft;
  take.draft = differs.length ? Object.fromEntries(differs.map((key) => [key, fine[key]])) : null;
  if (take.draft && kept.saved) take.draft.saved = made;
  if (kept && !take.draft) store.drop(take.key);
  if (take.draft || before) paint(take);
}
takes.forEach(read);
items.forEach(count);
tell();
window.addEventListener("storage", (event) => {  // another window decided
  const take = takes.get(event.key);
  if (take) { read(take); count(take.item); }
  if (take || event.key === "veopipe-name") tell();
});
window.addEventListener("beforeunload", (event) => { if (!keeps && drafted().some(isOpen)) event.preventDefault(); });
