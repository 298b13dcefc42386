// --- videos: loaded near the window only, silent under the pointer, with sound on a click ------
// The takes of a shot have one time: they play, stop and are sought together, and one of them is heard.
let playing = null;
const shownNow = new Set();
const release = (video) => {
  if (video.preload !== "none" && video.paused) { video.preload = "none"; video.load(); }
};
const near = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
  itemOf.get(target).videos.forEach((video) => {
    if (isIntersecting) { shownNow.add(video); video.preload = "metadata"; }
    else { shownNow.delete(video); release(video); }
  });
}), { rootMargin: "300px 0px" });

const there = (item) => item.videos.filter((video) => !video.hidden);
const longest = (item) => there(item).reduce((one, other) => ((other.duration || 0) > (one.duration || 0) ? other : one));
const stop = (item) => item.videos.forEach((video) => video.pause());
const isOn = (item) => item.videos.some((video) => !video.paused && !video.ended);

function seek(item, seconds) {
  item.begun = true;
  there(item).forEach((video) => { video.currentTime = Math.min(seconds, video.duration || seconds); });
}
function start(item, heard, silent) {
  if (playing && playing !== item) stop(playing);
  playing = item;
  item.heard = heard;
  item.silent = silent;
  const videos = there(item);
  const ended = videos.every((video) => video.ended);
  if (!item.begun || ended) seek(item, 0);
  videos.forEach((video) => {
    video.muted = silent || video !== heard;
    video.loop = silent && videos.length === 1;
    if (video.ended) return;
    const started = video.play();
    if (started) started.catch(() => {});
  });
}
function hear(item, video) {
  item.heard = video;
  item.videos.forEach((each) => { each.muted = each !== video; });
}
function toggle(item, video) {
  if (!item || !there(item).length) return;
  const chosen = video && !video.hidden ? video : item.heard || there(item)[0];
  if (!isOn(item)) start(item, chosen, false);
  else if (item.silent || chosen !== item.heard) { item.silent = false; hear(item, chosen); chosen.loop = false; }
  else stop(item);
  if (!item.several) chosen.controls = true;
}
function showTime(item, base) {
  const card = item.card;
  const bar = card.querySelector(".time");
  if (!bar) return;
  if (document.activeElement !== bar || isOn(item)) bar.value = 1000 * base.currentTime / (base.duration || 1);
  card.querySelector(".clock").textContent = `${base.currentTime.toFixed(1)} s`;
}
function keepTogether(item, video) {
  const base = longest(item);
  if (video !== base) return;
  showTime(item, base);
  if (base.paused) return;
  there(item).forEach((other) => {
    const far = Math.abs(other.currentTime - base.currentTime) > 0.15;
    if (other !== base && far && base.currentTime < (other.duration || 0)) other.currentTime = base.currentTime;
  });
}
function whenEnded(item) {
  if (there(item).some((video) => !video.ended)) return;
  if (item.silent) start(item, item.heard, true);
}
function prepare(item) {
  near.observe(item.card);
  const area = item.several ? item.card.querySelector(".takes") : item.videos[0].parentElement;
  area.addEventListener("pointerenter", (event) => {
    if (event.pointerType === "mouse" && !isOn(item) && there(item).length) start(item, there(item)[0], true);
  });
  area.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && item.silent) stop(item);
  });
  item.videos.forEach((video) => {
    const frame = video.parentElement;
    video.addEventListener("click", (event) => {
      if (video.controls) return;
      event.preventDefault();
      toggle(item, video);
    });
    video.addEventListener("play", () => { frame.classList.add("playing"); item.card.classList.add("on"); });
    video.addEventListener("pause", () => {
      frame.classList.remove("playing");
      if (!isOn(item)) item.card.classList.remove("on");
    });
    video.addEventListener("error", () => { frame.querySelector(".lost").hidden = false; video.hidden = true; });
    if (!item.several) return;
    video.addEventListener("timeupdate", () => keepTogether(item, video));
    video.addEventListener("ended", () => whenEnded(item));
  });
  if (!item.several) return;
  item.card.querySelector(".together").addEventListener("click", () => toggle(item, item.heard));
  const bar = item.card.querySelector(".time");
  bar.addEventListener("input", () => {
    const base = longest(item);
    seek(item, bar.value / 1000 * (base.duration || 0));
    showTime(item, base);
  });
}
items.filter((item) => item.videos.length).forEach(prepare);

// --- print: every shown frame is drawn first, as the browser prints no video that it hasn't loaded -----
const loaded = (video) => new Promise((done) => {
  if (video.readyState >= 2) { done(); return; }
  const end = setTimeout(done, 5000);
  const finish = () => { clearTimeout(end); done(); };
  video.addEventListener("loadeddata", finish, { once: true });
  video.addEventListener("error", finish, { once: true });
  video.preload = "auto";
});
async function still(video) {
  await loaded(video);
  if (video.readyState < 2 || video.parentElement.querySelector("canvas")) return;
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = Math.round(640 * video.videoHeight / (video.videoWidth || 1)) || 360;
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  video.parentElement.append(canvas);
  if (!shownNow.has(video)) release(video);
}
async function drawStills() {
  const videos = visible.flatMap(there);
  const all = videos.length;
  const worker = async () => {
    while (videos.length) {
      await still(videos.shift());
      byId("print").textContent = `${all - videos.length} of ${all}`;
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  root.dataset.stills = "drawn";
}
byId("print").addEventListener("click", async () => {
  byId("print").disabled = true;
  await drawStills();
  byId("print").disabled = false;
  byId("print").textContent = "Print";
  window.print();
});
window.addEventListener("afterprint", () => document.querySelectorAll(".frame canvas").forEach((c) => c.remove()));
