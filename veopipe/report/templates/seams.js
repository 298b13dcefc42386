// --- seams: the picture before and the picture after ---------------------------------------------------
// Both are drawn from the videos when they are looked at, and let go when they aren't: hundreds cost nothing. A take is
// the one that is picked on the page now, so that a seam is seen before the decision is saved.
const joints = Array.from(document.querySelectorAll(".joint"), (button) => ({
  button,
  panes: Array.from(button.querySelectorAll(".pane:not(.differs)")),
  differs: button.querySelector(".differs"),
  consumer: button.dataset.consumer,
  made: new Map((button.dataset.made || "").split(" ").filter(Boolean).map((pair) => pair.split(":"))),
  near: false,
  drawn: "",
}));
const byShot = new Map(items.map((item) => [item.card.id.slice(5), item]));
const ACROSS = 1.5;  // seconds that are played before a seam, and after it

function chosenOf(item) {
  const there = item.takes.filter((take) => "here" in take.element.dataset);
  const picks = there.filter((take) => now(take).verdict === "pick");
  const left = there.filter((take) => "eligible" in take.element.dataset && now(take).verdict !== "reject");
  const only = picks.length ? picks : left;
  return only.length === 1 ? only[0] : item.takes.find((take) => take.number === item.card.dataset.take) || null;
}
function sideOf(pane, tried) {
  const { shot, name: named, at, words, take: fixed, video } = pane.dataset;
  const item = byShot.get(shot);
  const number = tried || fixed;
  const take = !item ? null : number ? item.takes.find((each) => each.number === number) : chosenOf(item);
  const shows = take && take.element.querySelector("video");
  const url = shows ? shows.getAttribute("src").split("#")[0] : item ? "" : video || "";
  const open = !number && item && isUndecided(item);
  return { item, shot, take, url, at, words: [named, take ? `take ${take.number}` : "", words].filter(Boolean).join(", "), open };
}
function seamOf(joint, tried = "") {
  const sides = [sideOf(joint.panes[0]), sideOf(joint.panes[1], tried)];
  const told = sides.flatMap((side) => (side.url ? [] : [`${side.words}: no video here`]));
  const place = sides.findIndex((side) => side.shot === joint.consumer);
  if (place >= 0 && sides[place].take && sides[1 - place].take) {
    const from = joint.made.get(sides[place].take.number);
    if (from && from !== sides[1 - place].take.number) told.push(`made from take ${from}`);
  }
  sides.filter((side) => side.open).forEach((side) => told.push(`nobody has chosen among the takes of ${side.shot}`));
  return { sides, told: told.join("; "), key: JSON.stringify(sides.map((side) => [side.url, side.at])) };
}

// --- pictures ---------------------------------------------------------------------------------------
const happens = (target, what) => new Promise((done, fail) => {
  const limit = setTimeout(() => fail(new Error(what)), 15000);
  target.addEventListener(what, () => { clearTimeout(limit); done(); }, { once: true });
  target.addEventListener("error", () => { clearTimeout(limit); fail(new Error("error")); }, { once: true });
});
const placeOf = (video, at) => (at === "last" ? video.duration : at === "first" ? 0 : Math.min(Number(at), video.duration));
async function opened(url, at, back = 0) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  video.src = url;
  await happens(video, "loadeddata");
  const to = Math.max(0, placeOf(video, at) - back);
  if (to > 0) {
    const sought = happens(video, "seeked");
    video.currentTime = to;
    await sought;
    // Firefox has sought the end before it has the picture there.
    for (let tries = 0; video.readyState < 2 && tries < 100; tries += 1) await new Promise((done) => setTimeout(done, 20));
  }
  return video;
}
function letGo(video) {
  video.pause();
  video.removeAttribute("src");
  video.load();
}
async function picture({ url, at }, width) {
  if (!url) return null;
  try {
    const video = await opened(url, at);
    const canvas = document.createElement("canvas");
    canvas.width = Math.min(width, video.videoWidth);
    canvas.height = Math.round(canvas.width * video.videoHeight / video.videoWidth);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    letGo(video);
    return canvas;
  } catch { return null; }
}
function difference(one, other) {
  if (!one || !other) return null;
  const canvas = document.createElement("canvas");
  canvas.width = one.width;
  canvas.height = one.height;
  const pen = canvas.getContext("2d");
  pen.drawImage(one, 0, 0);
  pen.globalCompositeOperation = "difference";
  pen.drawImage(other, 0, 0, canvas.width, canvas.height);
  return canvas;
}
const fill = (pane, canvas) => pane.replaceChildren(...(canvas ? [canvas] : []));
async function drawInto(panes, differs, sides, width, stillWanted) {
  const found = [await picture(sides[0], width), await picture(sides[1], width)];
  if (!stillWanted()) return false;
  panes.forEach((pane, index) => fill(pane, found[index]));
  if (differs) fill(differs, difference(...found));
  return true;
}

// --- small, in a strip: drawn near the window only, two at a time -------------------------------------
const inLine = new Set();
let drawing = 0;
async function drawJoint(joint) {
  const seam = seamOf(joint);
  joint.button.querySelector(".told").textContent = seam.told;
  if (joint.drawn === seam.key) return;
  const done = await drawInto(joint.panes, joint.differs, seam.sides, 320, () => joint.near);
  if (done) joint.drawn = seam.key;
}
function drawNext() {
  while (drawing < 2 && inLine.size) {
    const [joint] = inLine;
    inLine.delete(joint);
    drawing += 1;
    drawJoint(joint).finally(() => { drawing -= 1; drawNext(); });
  }
}
const nearSeams = new IntersectionObserver((entries) => {
  entries.forEach(({ target, isIntersecting }) => {
    const joint = joints[target.dataset.seam];
    joint.near = isIntersecting;
    if (isIntersecting) { inLine.add(joint); return; }
    inLine.delete(joint);
    joint.drawn = "";
    joint.button.querySelectorAll("canvas").forEach((canvas) => canvas.remove());
  });
  drawNext();
}, { rootMargin: "200px" });
joints.forEach((joint) => nearSeams.observe(joint.button));
document.addEventListener("decided", () => {
  joints.filter((joint) => joint.near).forEach((joint) => inLine.add(joint));
  drawNext();
});

// --- large, one at a time -----------------------------------------------------------------------------
const theatre = byId("seam");
let seamAt = 0;
let triedNow = "";
let turnOf = 0;  // each showing has a number: what comes late belongs to none
function showSeam(place, tried = "") {
  seamAt = Math.max(0, Math.min(joints.length - 1, place));
  triedNow = tried;
  const joint = joints[seamAt];
  const seam = seamOf(joint, tried);
  const turn = turnOf += 1;
  const sides = Array.from(theatre.querySelectorAll(".side"));
  endPlay();
  theatre.dataset.drawn = "no";
  byId("seam-title").textContent = `Seam ${seamAt + 1} of ${joints.length}`;
  theatre.querySelector(".told").textContent = seam.told;
  sides[2].hidden = !joint.differs;
  theatre.querySelector(".theatre").classList.toggle("plain", !joint.differs);
  sides.forEach((side, index) => {
    fill(side.querySelector(".pane"), null);
    if (seam.sides[index]) side.querySelector("figcaption").textContent = seam.sides[index].words;
  });
  byId("across").disabled = seam.sides.some((side) => !side.url);
  theatre.classList.toggle("tall", seam.sides.some(({ item }) => item && item.card.classList.contains("tall")));
  const panes = sides.map((side) => side.querySelector(".pane"));
  drawInto(panes.slice(0, 2), panes[2], seam.sides, 1280, () => turn === turnOf)
    .then((done) => { if (done) theatre.dataset.drawn = "yes"; });
  if (!theatre.open) theatre.showModal();
}
function openSeam(item, place = -1) {
  if (!joints.length) return;
  const own = (pane) => item && byShot.get(pane.dataset.shot) === item;
  const found = place >= 0 ? place : Math.max(joints.findIndex((joint) => own(joint.panes[1])), -1);
  showSeam(found >= 0 ? found : Math.max(0, joints.findIndex((joint) => own(joint.panes[0]))));
}
function tryTake(number) {
  const { item } = sideOf(joints[seamAt].panes[1]);
  if (item && item.takes.some((take) => take.number === number)) showSeam(seamAt, number);
}

let staged = [];
function endPlay() {
  staged.forEach(letGo);
  staged = [];
  const stage = theatre.querySelector(".stage");
  stage.hidden = true;
  stage.replaceChildren();
}
async function playAcross() {
  if (staged.length || byId("across").disabled) { showSeam(seamAt, triedNow); return; }
  const turn = turnOf += 1;
  const seam = seamOf(joints[seamAt], triedNow);
  const stage = theatre.querySelector(".stage");
  try {
    const [one, other] = await Promise.all([opened(seam.sides[0].url, seam.sides[0].at, ACROSS), opened(seam.sides[1].url, seam.sides[1].at)]);
    if (turn !== turnOf) { [one, other].forEach(letGo); return; }
    staged = [one, other];
    stage.hidden = false;
    for (const [video, end] of [[one, placeOf(one, seam.sides[0].at)], [other, other.currentTime + ACROSS]]) {
      stage.replaceChildren(video);
      video.muted = false;
      await video.play();
      while (turn === turnOf && !video.ended && video.currentTime < end) await new Promise(requestAnimationFrame);
      video.pause();
      if (turn !== turnOf) return;
    }
  } catch { /* it can't be played here */ }
  if (turn === turnOf) showSeam(seamAt, triedNow);
}
if (theatre) {
  theatre.addEventListener("close", () => { turnOf += 1; endPlay(); });
  byId("seam-before").addEventListener("click", () => showSeam(seamAt - 1));
  byId("seam-after").addEventListener("click", () => showSeam(seamAt + 1));
  byId("across").addEventListener("click", playAcross);
  theatre.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, k: -1, ArrowRight: 1, j: 1 };
    if (steps[event.key]) showSeam(seamAt + steps[event.key]);
    else if (event.key === " " && !event.target.closest("button")) playAcross();
    else if (/^[1-9]$/.test(event.key)) tryTake(event.key);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-seam]");
    if (button) openSeam(null, Number(button.dataset.seam));
  });
}
