"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  root.classList.add("scripted");

  // --- the cards, read once -------------------------------------------------------------------
  const items = Array.from(document.querySelectorAll(".card"), (card) => ({
    card,
    status: card.dataset.status,
    tags: new Set(Array.from(card.querySelectorAll(".tags .tag"), (tag) => tag.textContent)),
    text: (card.id.slice(5) + " " + card.textContent).toLowerCase(),
  }));
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
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = current >= 0 ? visible[current] : null;
    visible = items.filter((item) => {
      const fits = (!statuses.size || statuses.has(item.status))
        && (!tags.size || Array.from(tags).some((tag) => item.tags.has(tag)))
        && words.every((word) => item.text.includes(word));
      if (item.card.hidden === fits) item.card.hidden = !fits;
      return fits;
    });
    current = chosen ? visible.indexOf(chosen) : -1;
    const all = visible.length === items.length;
    byId("shown").textContent = all ? `${items.length} shots` : `${visible.length} of ${items.length} shots`;
    byId("clear").hidden = !(statuses.size || tags.size || words.length);
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
  document.querySelectorAll(".shots a").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    show(decodeURIComponent(link.hash.slice(1)));
  }));
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest(".card");
    if (card) current = visible.findIndex((item) => item.card === card);
  });

  // --- videos: loaded near the window only, silent under the pointer, with sound on a click ------
  let playing = null;
  const shownNow = new Set();
  const release = (video) => {
    if (video.preload !== "none" && video.paused) { video.preload = "none"; video.load(); }
  };
  const near = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    const video = target.querySelector("video");
    if (isIntersecting) { shownNow.add(video); video.preload = "metadata"; }
    else { shownNow.delete(video); release(video); }
  }), { rootMargin: "300px 0px" });

  function start(video, silent) {
    if (playing && playing !== video) playing.pause();
    playing = video;
    video.muted = silent;
    video.loop = silent;
    if (!video.dataset.begun) { video.dataset.begun = "1"; video.currentTime = 0; }
    const started = video.play();
    if (started) started.catch(() => {});
  }
  function toggle(video) {
    if (!video) return;
    if (video.paused || video.muted) { start(video, false); video.controls = true; } else video.pause();
  }
  items.forEach(({ card }) => {
    const video = card.querySelector("video");
    if (!video) return;
    const frame = video.parentElement;
    video.controls = false;
    near.observe(card);
    frame.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse" && video.paused) start(video, true);
    });
    frame.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && video.muted) video.pause();
    });
    video.addEventListener("click", (event) => {
      if (video.controls) return;
      event.preventDefault();
      toggle(video);
    });
    video.addEventListener("play", () => frame.classList.add("playing"));
    video.addEventListener("pause", () => frame.classList.remove("playing"));
    video.addEventListener("error", () => { frame.querySelector(".lost").hidden = false; video.hidden = true; });
  });

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
    const videos = visible.map(({ card }) => card.querySelector("video:not([hidden])")).filter(Boolean);
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
  const video = () => (current >= 0 ? visible[current].card.querySelector("video") : null);
  const details = () => (current >= 0 ? visible[current].card.querySelector("details") : null);
  const keys = {
    "/": () => { search.focus(); search.select(); },
    j: () => go(current + 1),
    k: () => go(current - 1),
    n: () => {
      const next = visible.findIndex((item, index) => index > current && item.status !== "verified");
      if (next >= 0) go(next);
    },
    f: () => { const v = video(); if (v && v.requestFullscreen) v.requestFullscreen().catch(() => {}); },
    t: turn,
    "?": () => byId("help").showModal(),
    Enter: () => { const d = details(); if (d) d.open = !d.open; },
    " ": () => toggle(video()),
    Escape: clear,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const target = event.target;
    if (target === search) {
      if (event.key === "Escape") { clear(); search.blur(); }
      if (event.key === "Enter") { filter(); go(0); event.preventDefault(); }
      return;
    }
    const own = target.closest("button, a, summary, input, video");
    if (own && (event.key === "Enter" || event.key === " ")) return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  filter();
  if (location.hash.startsWith("#shot-")) show(decodeURIComponent(location.hash.slice(1)));
  root.dataset.ready = "yes";
})();
