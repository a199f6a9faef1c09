"use strict";
// The live page. It plays a little behind the recorder, on the recorder's clock alone:
// the browser's own clock is looked at only to notice that it slept.

const POLL_MS = 500, STALE_MS = 3000, COMPUTED_STALE_MS = 9000, KEEP_MS = 16000, NEAR_MS = 1500, GIVE_UP_MS = 2500;
const PLAIN = "12px system-ui, sans-serif", BOLD = "600 " + PLAIN;
const $ = (id) => document.getElementById(id);
const on = (id, event, act) => $(id).addEventListener(event, act);
const tick = () => performance.now();
const css = (name) => styles.getPropertyValue("--" + name).trim();
const styles = getComputedStyle(document.documentElement);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// what was received

const chunks = [], poses = [], events = new Map(), vitals = new Map();
let live = null, page, cursor = "", rows = [], segments = {}, me = {};

// whose time it is

let offset = null; // recorder's now − tick(), ms
let answered = -Infinity; // tick() of the last good answer
let answeredWall = 0; // Date.now() of it: runs on while the laptop sleeps
let woke = false; // true until the first answer after a sleep or a hidden tab
let delay = 1300; // how far behind the page plays, ms
let trouble = "";

const now = () => tick() + offset;
const present = (boxMs) => boxMs + (live?.utc_minus_box ?? 0); // UTC of this session; of others the box tells it
const playhead = () => held ?? now() - delay;

function dead() {
  const silent = tick() - answered, wall = Date.now() - answeredWall;
  if (Math.abs(wall - silent) > 1500) woke = true;
  return woke || offset === null || silent > STALE_MS;
}

function learnTime(reply, sent, got) {
  const found = reply.now - (sent + got) / 2;
  const slip = offset === null ? Infinity : found - offset;
  offset = Math.abs(slip) > 250 ? found : offset + slip * 0.1;
  answered = got;
  answeredWall = Date.now();
  woke = false;
}

function newestEnd(reply) { // of board and camera: what is uploaded may have any date
  const live = (chunk) => segments[chunk.segment]?.live;
  const ends = chunks.some(live) ? reply.ecg.filter(live).map((chunk) => chunk.end)
    : reply.poses.filter((pose) => pose.source === "camera").map((pose) => pose.at);
  return ends.reduce((one, other) => Math.max(one, other), 0);
}

function learnDelay(end) {
  if (!end) return;
  const wanted = Math.min(3000, Math.max(700, now() - end + POLL_MS + 250));
  delay += (wanted - delay) * (wanted > delay ? 0.5 : 0.02);
}

// asking

async function poll() {
  if (!document.hidden) {
    const stop = new AbortController(), timer = setTimeout(() => stop.abort(), GIVE_UP_MS);
    const sent = tick();
    try {
      const reply = await fetch("live?since=" + cursor, { signal: stop.signal });
      if (reply.status === 401) return void location.assign("login.html");
      if (!reply.ok) throw new Error("the box answered " + reply.status);
      take(await reply.json(), sent, tick());
      trouble = "";
    } catch (error) {
      trouble = error.name === "AbortError" ? "the box takes too long to answer" : "the box cannot be reached";
    }
    clearTimeout(timer);
  }
  setTimeout(poll, POLL_MS);
}

function take(reply, sent, got) {
  page ??= reply.page;
  if (reply.page !== page && !busy()) return location.reload(); // after an update: this script is an old one
  const counts = reply.cursor ? reply.cursor.split(".").map(Number) : rows; // none while nothing can be read
  const other = counts.some((count, i) => count < rows[i]); // rows are numbered from 1 again
  rows = counts;
  if (reply.reset) beginAnew(other);
  const set = live && Math.abs(reply.utc_minus_box - live.utc_minus_box) > 1000;
  live = reply;
  cursor = set ? "" : reply.cursor; // once the clock is set, everything has another date
  Object.assign(segments, reply.segments);
  learnTime(reply, sent, got);
  for (const chunk of reply.ecg) {
    const count = chunk.mv[0]?.length ?? 0;
    chunk.end = chunk.start + (chunk.offsets ? chunk.offsets[count - 1] : count * chunk.period);
    if (chunks.some((c) => c.start === chunk.start && c.segment === chunk.segment)) continue;
    chunks.push(chunk);
  }
  for (const pose of reply.poses) if (!poses.some((p) => p.at === pose.at)) poses.push(pose);
  vitals.clear(); // each reply has all of the subject who is there now
  for (const vital of reply.vitals) vitals.set(vital.name, vital);
  for (const event of reply.events) events.set(event.row, event);
  learnDelay(newestEnd(reply));
  forget();
  tellEvents();
}

function busy() { // whoever writes or looks at what is held goes on
  const written = [...document.querySelectorAll(".forms input")].some((field) => field.value !== field.defaultValue);
  return held !== null || written || $("marker").open;
}

function beginAnew(other) { // with another database, or in this one: too far behind, or its clock was set
  if (other) marked = undefined; // its time is another
  for (const map of [events, vitals]) map.clear();
  if (held !== null && !other) return; // what is held has not changed
  for (const list of [chunks, poses]) list.length = 0;
  if (held !== null) toggleHold();
}

function forget() { // all but what is near now, and what a hold shows, however long it lasts
  const kept = (first, last) => (last >= now() - KEEP_MS && first <= now() + KEEP_MS) || (held !== null && last >= held - KEEP_MS && first <= held + NEAR_MS);
  for (const [list, first, last] of [[chunks, "start", "end"], [poses, "at", "at"]]) {
    const left = list.filter((entry) => kept(entry[first], entry[last])).sort((a, b) => a[last] - b[last]);
    list.splice(0, list.length, ...left);
  }
  for (const row of [...events.keys()].sort((a, b) => a - b).slice(0, -40)) events.delete(row);
}

// saying numbers

function ago(ms) {
  if (ms < 0) ms = 0;
  const s = ms / 1000;
  if (s < 9.95) return s.toFixed(1) + " s ago";
  return span(ms) + " ago";
}
function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return s + " s";
  if (s < 7200) return Math.round(s / 60) + " min";
  if (s < 172800) return (s / 3600).toFixed(s < 36000 ? 1 : 0) + " h";
  return Math.round(s / 86400) + " days";
}
function brief(ms) {
  return ms < 9950 ? (Math.max(ms, 100) / 1000).toFixed(1) + " s" : span(ms);
}
function many(n) {
  if (n == null) return "–";
  if (n >= 1e7) return (n / 1e6).toFixed(1) + " M";
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}
function few(n) { // for a column of a table
  if (n < 1e4) return many(n);
  if (n < 1e6) return Math.floor(n / 1e3) + " k";
  const [one, unit] = n < 1e9 ? [1e6, " M"] : [1e9, " G"];
  return (n < 100 * one ? (n / one).toFixed(1) : Math.floor(n / one)) + unit;
}
function clock(utc, seconds = true) {
  return new Date(utc).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}
function dated(utc, seconds) { // with the day where it is not today
  const date = new Date(utc), today = new Date(present(now()));
  if (date.toDateString() === today.toDateString()) return clock(utc, seconds);
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year }) + " " + clock(utc, seconds);
}
function label(node, text) { node.setAttribute("aria-label", text); }
function set(node, text) { if (node.textContent !== text) node.textContent = text; }
function make(tag, text, name) {
  const node = document.createElement(tag);
  if (text != null) node.textContent = text;
  if (name) node.className = name;
  return node;
}

// words

const mood = (name, is) => document.body.classList.toggle(name, is);

function tell() {
  const gone = dead();
  mood("dead", gone);
  mood("waiting", !live);
  tellVerdict(gone);
  if (!live) return;
  const old = gone || !live.now_known;
  mood("dead", old);
  tellFacts(old);
  tellVitals(old);
  tellParts(old);
  tellPose(old);
}

function tellVerdict(gone) {
  let { level, headline, why } = live?.verdict ?? {};
  if (gone) {
    level = "off";
    headline = live || trouble ? "No connection to the box" : "Asking the box …";
    why = !live ? (trouble ? `Nothing here is live: ${trouble}.` : "This page has had no answer yet.")
      : `Nothing here is live: ${trouble || "the page slept"}.${live.now_known ? ` Last answer at {${live.now}}.` : ""} The box may still be recording.`;
  }
  if ($("band").dataset.level !== level) $("band").dataset.level = level;
  set($("headline"), headline);
  tellWhy(why);
  tellHeld();
  document.title = `${{ ok: "●", warn: "▲", bad: "■", off: "✕" }[level]} ${headline}`;
}

function tellHeld() {
  $("paused").hidden = held === null;
  if (held !== null) set($("paused"), `Curve and body are held at ${dated(present(held))} – not live.`);
}

function tellWhy(why) { // read aloud when it changes: its ages go on unheard
  const parts = why.split(/\{(\d+(?:\.\d+)?)\}/).map((part, i) => i % 2 ? { at: +part, text: dated(present(+part), false) + " " } : { text: part });
  const key = parts.map((part) => part.text).join("");
  if ($("why").dataset.key !== key) {
    $("why").dataset.key = key;
    $("why").replaceChildren(...parts.flatMap(({ at, text }) => at === undefined ? text : [text, Object.assign(make("span"), { at })]));
    for (const age of $("why").children) age.setAttribute("aria-hidden", "true");
  }
  const silent = Math.max(tick() - answered, Date.now() - answeredWall);
  for (const age of $("why").children) set(age, `(${span(live.now + silent - age.at)})`);
}

function tellFacts(gone) {
  const session = live.session, left = live.storage?.hours_left;
  set($("subject"), session ? session.subject || "no code" : "–");
  set($("running"), gone || live.verdict.level === "bad" ? "–" : span(now() - session.started));
  set($("room"), left == null ? "–" : span(left * 3600e3));
  set($("time"), gone ? "–" : clock(present(now())));
}

const SHOWN = [
  ["heart_rate", "Heart rate"], ["oxygen_saturation", "SpO₂"], ["blood_pressure", "Blood pressure"],
  ["respiration_rate", "Respiration"], ["temperature", "Temperature"],
];
const REASONS = {
  lead_off: "lead off", probe_off: "probe off", placeholder: "not measured", stale: "no new value", out_of_range: "out of range", not_sent: "not sent",
  learning: "still listening", noisy: "ECG too noisy", no_beats: "no beats found", samples_lost: "ECG samples lost", too_slow: "ECG sampled too slowly",
};

function combined(name) {
  if (name !== "blood_pressure") return vitals.get(name);
  const high = vitals.get("blood_pressure_systolic"), low = vitals.get("blood_pressure_diastolic");
  if (!high || !low) return high || low;
  const older = high.at < low.at ? high : low;
  const both = high.value !== null && low.value !== null;
  return { ...older, value: both ? `${Math.round(high.value)}/${Math.round(low.value)}` : null, reason: high.reason || low.reason };
}

function tellVitals(gone) {
  for (const [name, title] of SHOWN) {
    const vital = combined(name);
    let card = $("vital-" + name);
    if (!vital && !card && (name === "respiration_rate" || name === "temperature")) continue;
    if (!card) {
      card = make("div", null, "vital");
      card.id = "vital-" + name;
      card.innerHTML = '<b></b><div class="number"><span></span><i></i></div><p class="age"></p>';
      set(card.firstChild, title);
      $("vitals").append(card);
    }
    const [number, unit] = card.querySelectorAll("span, i"), age = card.querySelector(".age");
    const ms = vital ? now() - vital.at : Infinity, old = gone || ms > (vital?.derived ? COMPUTED_STALE_MS : STALE_MS);
    card.classList.toggle("old", old);
    card.classList.toggle("unknown", !vital);
    set(number, vital?.value == null ? "–" : typeof vital.value === "number" ? String(+vital.value.toFixed(name === "temperature" ? 1 : 0)) : vital.value);
    set(unit, vital?.value == null ? "" : vital.unit);
    set(age, !vital ? "none received" : (vital.reason ? (REASONS[vital.reason] ?? vital.reason) + ", " : "") +
      (gone ? "before the silence" : ago(ms)) + (vital.derived ? ", computed" : ""));
  }
}

const WORDS = { ok: "well", stale: "late", lost: "lost", off: "off" };
const LATE = ["ecg", "camera", "pose"]; // only data can be late
const PARTS = { ecg: "ECG", camera: "Camera", pose: "Pose", store: "Store", clock: "Clock", tpu: "TPU", power: "Power" };

function tellParts(gone) {
  const body = $("parts");
  for (const part of live.streams) {
    let row = $("part-" + part.name);
    if (!row) {
      row = make("tr", null, "part");
      row.id = "part-" + part.name;
      row.innerHTML = '<th scope="row"></th><td class="word"></td><td></td><td></td><td></td>';
      set(row.firstChild, PARTS[part.name] ?? part.name);
      const about = make("tr", null, "about");
      about.append(make("td"));
      about.firstChild.colSpan = 5;
      body.append(row, about);
    }
    const [, state, last, received, lost] = row.children;
    if (row.dataset.state !== part.state) row.dataset.state = part.state;
    const since = part.state === "ok" || part.state === "off" ? "" : `since ${dated(present(part.since), false)}`;
    set(state, (gone ? "was " : "") + (part.state === "stale" && !LATE.includes(part.name) ? "poor" : WORDS[part.state] ?? part.state));
    set(row.nextSibling.firstChild, [since, part.cause, part.about].filter(Boolean).join(" · "));
    set(last, part.last === null ? "–" : gone ? "old" : ago(now() - part.last));
    set(received, few(part.received));
    set(lost, few(part.dropped + part.damaged));
  }
  const saved = Object.entries(live.saved).map(([name, count]) => `${many(count)} ${name}`).join(", ");
  set($("saved"), saved ? `Saved on the card since the start: ${saved}.` : "");
  tellMachine(live.machine);
}

function tellMachine({ temperature_c: heat, memory_available: free, troubles = [] }) {
  const numbers = [heat == null ? "" : `${Math.round(heat)} °C`, free == null ? "" : `${Math.round(free * 100)} % of the memory free`];
  const said = [numbers.filter(Boolean).join(", "), ...troubles].filter(Boolean).join("; ");
  set($("machine"), said && `The machine: ${said}.`);
  $("machine").classList.toggle("trouble", troubles.length > 0);
}

function tellPose(gone) {
  const pose = near(poses, playhead(), NEAR_MS);
  const ms = pose ? now() - pose.at : Infinity;
  set($("pose-age"), held !== null ? "held" : !pose ? "none" : gone ? "old" : ago(ms));
  set($("pose-note"), !pose ? "" : pose.state === "pose" ? `${pose.device} ${Math.round(pose.ms)} ms · ${pose.source}` :
    pose.state === "absent" ? "Nobody in the picture." : "No body found in the picture.");
}

function tellEvents() {
  const list = [...events.values()].sort((a, b) => b.began - a.began || b.row - a.row).slice(0, 20);
  const key = JSON.stringify([new Date(present(now())).toDateString(), list.map((e) => [e.row, e.utc, e.lasted])]);
  if (!list.length || $("events").dataset.key === key) return;
  $("events").dataset.key = key;
  $("events").replaceChildren(...list.map((event) => {
    const item = make("li", null, event.kind === "marker" ? "marker" : "");
    const length = event.lasted > 0 ? ` (${brief(event.lasted)})` : "";
    item.append(make("time", dated(event.utc)), make("span", (event.kind === "marker" ? "⚑ " : "") + event.cause + length));
    return item;
  }));
}

// drawing

function surface(canvas) {
  const ratio = Math.min(2, devicePixelRatio || 1), box = canvas.getBoundingClientRect();
  const width = Math.round(box.width * ratio), height = Math.round(box.height * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  pen.font = PLAIN;
  return [pen, box.width, box.height];
}

function ink(pen, colour, align) { pen.fillStyle = css(colour); pen.textAlign = align; }

function near(list, at, tolerance) {
  let best = null;
  for (const entry of list) if (Math.abs(entry.at - at) <= tolerance && (!best || Math.abs(entry.at - at) < Math.abs(best.at - at))) best = entry;
  return best;
}

const LIMBS = [ // pairs of keypoints, and the side they are on
  [5, 7, "left"], [7, 9, "left"], [11, 13, "left"], [13, 15, "left"], [6, 8, "right"], [8, 10, "right"],
  [12, 14, "right"], [14, 16, "right"], [5, 6, "spine"], [11, 12, "spine"], [5, 11, "spine"], [6, 12, "spine"],
];
const sure = (pose, i) => pose.xys[3 * i + 2] > live.sure_score; // as the box counts, which says whether there is a body

function person(pen, pose, x, y, scale, thick) {
  const point = (i) => [x + pose.xys[3 * i] * scale, y + pose.xys[3 * i + 1] * scale, pose.xys[3 * i + 2]];
  const seen = (i) => sure(pose, i);
  pen.lineCap = pen.lineJoin = "round";
  if ([5, 6, 12, 11].every(seen)) {
    pen.beginPath();
    for (const i of [5, 6, 12, 11]) pen.lineTo(...point(i).slice(0, 2));
    pen.closePath();
    pen.globalAlpha = 0.16; pen.fillStyle = css("spine"); pen.fill(); pen.globalAlpha = 1;
  }
  for (const side of ["spine", "left", "right"]) {
    pen.strokeStyle = css(side); pen.lineWidth = thick; pen.beginPath();
    for (const [a, b, where] of LIMBS) if (where === side && seen(a) && seen(b)) {
      pen.moveTo(...point(a).slice(0, 2)); pen.lineTo(...point(b).slice(0, 2));
    } else if (where === side) for (const i of [a, b]) if (seen(i)) { // a dot: what was seen is never drawn as nothing
      pen.moveTo(...point(i).slice(0, 2)); pen.lineTo(...point(i).slice(0, 2));
    }
    pen.stroke();
  }
  head(pen, pose, point, seen, thick);
}

function head(pen, pose, point, seen, thick) {
  const face = [0, 1, 2, 3, 4].filter(seen).map(point);
  if (!face.length) return;
  const middle = [0, 1].map((axis) => face.reduce((sum, p) => sum + p[axis], 0) / face.length);
  let radius = Math.max(...face.map((p) => Math.hypot(p[0] - middle[0], p[1] - middle[1])), thick * 1.4);
  if (seen(5) && seen(6)) radius = Math.min(radius * 1.3, Math.max(thick * 1.4, 0.7 * Math.hypot(point(5)[0] - point(6)[0], point(5)[1] - point(6)[1])));
  pen.strokeStyle = css("spine"); pen.lineWidth = thick * 0.8;
  pen.beginPath(); pen.arc(...middle, radius, 0, 7); pen.stroke();
}

function drawBody() {
  const [pen, width, height] = surface($("body"));
  const at = pointed ?? playhead(), pose = near(poses, at, 700);
  const say = (text) => { ink(pen, "soft", "center"); pen.font = "15px system-ui, sans-serif"; pen.fillText(text, width / 2, height / 2); };
  if (!pose) return say(live ? "no pose here" : "");
  const scale = Math.min(width / pose.size[0], height / pose.size[1]);
  const x = (width - pose.size[0] * scale) / 2, y = (height - pose.size[1] * scale) / 2;
  pen.strokeStyle = css("line"); pen.strokeRect(x + .5, y + .5, pose.size[0] * scale - 1, pose.size[1] * scale - 1);
  if (pose.state !== "pose") return say(pose.state === "absent" ? "nobody here" : "no body found");
  person(pen, pose, x, y, scale, Math.max(3, height / 52));
}

let lanesScale = 0, shrinkAt = 0;

function drawAxis() {
  const [pen, width, height] = surface($("axis"));
  if (!live) return;
  const end = playhead(), seconds = width < 520 ? 5 : 10, film = Math.min(78, height * 0.2), foot = 20;
  const view = { pen, width, height, end, begin: end - seconds * 1000, top: film + 6, bottom: height - foot };
  const lanes = laneNames(view), left = view.left = margin = roomForNames(pen, lanes, width);
  view.x = (t) => left + (t - view.begin) / (seconds * 1000) * (width - left);
  paper(view);
  frieze(view, film);
  hatch(view, lanes);
  traces(view, lanes);
  flags(view);
  if (pointed !== null) cross(view);
}

let margin = 46; // left of the traces, pixels

function roomForNames(pen, names, width) { // never so much that little is left for the traces
  pen.font = BOLD;
  const widest = Math.max(0, ...names.map((name) => pen.measureText(name).width));
  pen.font = PLAIN;
  return Math.max(46, Math.min(widest + 10, width / 4));
}

function shortened(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let count = text.length;
  while (--count > 1 && pen.measureText(text.slice(0, count) + "…").width > room);
  return text.slice(0, count) + "…";
}

function paper({ pen, width, left, begin, end, top, bottom, height, x }) {
  for (const [step, colour] of [[200, "grid"], [1000, "grid-strong"]]) {
    pen.strokeStyle = css(colour); pen.lineWidth = 1; pen.beginPath();
    for (let t = Math.ceil(begin / step) * step; t <= end; t += step) { pen.moveTo(x(t), top); pen.lineTo(x(t), bottom); }
    pen.stroke();
  }
  ink(pen, "soft", "center");
  const every = (width - left) / ((end - begin) / 1000) < 64 ? 2000 : 1000;
  for (let t = Math.ceil(begin / every) * every; t <= end; t += every) if (x(t) > left + 26 && x(t) < width - 26) pen.fillText(clock(present(t)), x(t), height - 5);
}

function frieze({ pen, begin, end, x, left }, film) {
  const shown = [];
  for (let t = Math.floor(begin / 1000) * 1000; t <= end; t += 1000) {
    const pose = near(poses, t, 400);
    if (pose && pose.at <= end) shown.push([pose, pose.state === "pose" ? outline(pose) : null]);
  }
  const tallest = Math.max(1, ...shown.map(([, box]) => box ? box.y1 - box.y0 : 0));
  const widest = Math.max(1, ...shown.map(([, box]) => box ? box.x1 - box.x0 : 0));
  const scale = Math.min((film - 20) / tallest, (x(1000) - x(0)) * 1.1 / widest);
  pen.save(); pen.beginPath(); pen.rect(left, 0, 1e5, film + 8); pen.clip();
  for (const [pose, box] of shown) {
    if (box) person(pen, pose, x(pose.at) - (box.x0 + box.x1) / 2 * scale, film + 2 - box.y1 * scale, scale, 2.2);
    else { ink(pen, "soft", "center"); pen.fillText(pose.state === "absent" ? "nobody" : "no body", x(pose.at), film / 2); }
  }
  pen.restore();
}

function outline(pose) { // of the keypoints that are seen
  const seen = [...Array(17).keys()].filter((i) => sure(pose, i));
  if (!seen.length) return null;
  const xs = seen.map((i) => pose.xys[3 * i]), ys = seen.map((i) => pose.xys[3 * i + 1]);
  return { x0: Math.min(...xs), x1: Math.max(...xs), y0: Math.min(...ys), y1: Math.max(...ys) };
}

function leadNames({ begin, end }) {
  const names = new Set();
  for (const chunk of chunks) if (chunk.end > begin && chunk.start < end) for (const name of segments[chunk.segment]?.leads ?? []) names.add(name);
  return [...names];
}

let turned = 0; // how often the next leads were asked for

function laneNames(view) { // as many leads as can be told apart
  const all = leadNames(view), pages = Math.ceil(all.length / Math.max(4, Math.floor((view.bottom - view.top) / 30))) || 1;
  const each = Math.ceil(all.length / pages), first = turned % pages * each, shown = all.slice(first, first + each);
  $("leads").hidden = pages < 2;
  const ends = shown.every((name) => name.length < 9) ? [shown[0], shown.at(-1)] : [first + 1, first + shown.length];
  if (pages > 1) set($("leads"), `${ends.join(" – ")} of ${all.length} leads`);
  return shown;
}

function column(chunk, name) { return chunk.mv[segments[chunk.segment]?.leads.indexOf(name)]; }
function time(chunk, i) { return chunk.start + (chunk.offsets ? chunk.offsets[i] : i * chunk.period); }

function hatch({ pen, begin, end, x, top, bottom }, lanes) {
  const here = chunks.filter((c) => c.end > begin && c.start < end && segments[c.segment]?.live);
  if (!here.length && !lanes.length) { words(pen, "no ECG", x((begin + end) / 2), (top + bottom) / 2); }
  let covered = here.length ? Math.max(begin, here[0].start) : begin;
  const holes = here.length && here[0].start > begin + 50 && oldestKnown() < begin ? [[begin, here[0].start]] : [];
  for (const chunk of here) {
    const room = chunk.offsets ? 2500 : Math.max(60, 3 * chunk.period);
    if (chunk.start - covered > room) holes.push([covered, chunk.start]);
    covered = Math.max(covered, chunk.end);
  }
  if (end - covered > 1000) holes.push([covered, end]);
  for (const [from, to] of holes) {
    pen.fillStyle = css("gap"); pen.fillRect(x(from), top, x(to) - x(from), bottom - top);
    if (x(to) - x(from) > 70) words(pen, "no data", (x(from) + x(to)) / 2, (top + bottom) / 2);
  }
}
function oldestKnown() { return chunks.length ? chunks[0].start : Infinity; }
function words(pen, text, x, y) { ink(pen, "soft", "center"); pen.font = BOLD; pen.fillText(text, x, y); pen.font = PLAIN; }

function traces(view, lanes) {
  const { pen, begin, end, top, bottom, left, x } = view;
  const tall = (bottom - top) / Math.max(1, lanes.length);
  const looks = lanes.map((name) => extent(name, begin, end));
  settleScale(Math.max(0.5, ...looks.map((look) => look.high - look.low)));
  const mv = tall * 0.86 / lanesScale;
  const rule = [0.5, 1, 5, 10, 50].find((step) => step * mv > 16) ?? 100;
  lanes.forEach((name, index) => {
    const middle = top + tall * (index + 0.5), { low, high } = looks[index], centre = (low + high) / 2;
    const y = (value) => middle - (value - centre) * mv;
    pen.save(); pen.beginPath(); pen.rect(left, top, 1e5, bottom - top); pen.clip();
    pen.strokeStyle = css("grid"); pen.lineWidth = 1; pen.beginPath();
    for (let v = Math.ceil((centre - lanesScale / 2) / rule) * rule; v <= centre + lanesScale / 2; v += rule) { pen.moveTo(left, y(v)); pen.lineTo(1e5, y(v)); }
    pen.stroke();
    line(view, name, y);
    pen.restore();
    ink(pen, "ink", "left"); pen.font = BOLD;
    pen.fillText(shortened(pen, name, left - 8), 2, middle + 4); pen.font = PLAIN;
  });
  if (lanes.length) ruler(pen, left - 4, top - 2, mv); // beside the bodies, where no name is
}

function ruler(pen, x, y, mv) { // the height of a round number of millivolts
  const size = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((s) => s * mv >= 12) ?? 100;
  pen.strokeStyle = css("soft"); pen.lineWidth = 2; pen.beginPath();
  pen.moveTo(x - 4, y); pen.lineTo(x, y); pen.lineTo(x, y - size * mv); pen.lineTo(x - 4, y - size * mv); pen.stroke();
  ink(pen, "soft", "right"); pen.fillText(size + " mV", x, y - size * mv - 5);
}

function extent(name, begin, end) {
  let low = Infinity, high = -Infinity;
  for (const chunk of chunks) if (chunk.end > begin && chunk.start < end) for (const value of column(chunk, name) ?? []) if (value !== null) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? { low: 0, high: 0 } : { low, high };
}

function settleScale(wanted) {
  const round = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 40, 80, 200, 1000].find((s) => s >= wanted) ?? wanted;
  if (round >= lanesScale) { lanesScale = round; shrinkAt = tick() + 8000; }
  else if (tick() > shrinkAt) lanesScale = round;
}

function line({ pen, begin, end, x }, name, y) {
  pen.strokeStyle = css("trace"); pen.fillStyle = css("trace"); pen.lineWidth = 1.6; pen.lineJoin = "round"; pen.beginPath();
  let last = -Infinity;
  for (const chunk of chunks) {
    const values = column(chunk, name);
    if (!values || chunk.end < begin || chunk.start > end) continue;
    const step = chunk.offsets ? 2500 : Math.max(60, 3 * chunk.period);
    for (let i = 0; i < values.length; i++) {
      const t = time(chunk, i);
      if (t > end) break;
      if (values[i] === null) { last = -Infinity; continue; }
      if (t - last > step) { pen.moveTo(x(t), y(values[i])); if (chunk.offsets || !chunk.period) pen.rect(x(t) - 1.5, y(values[i]) - 1.5, 3, 3); pen.moveTo(x(t), y(values[i])); }
      else pen.lineTo(x(t), y(values[i]));
      last = t;
    }
  }
  pen.stroke();
}

function flags({ pen, begin, end, x, top, bottom, width }) {
  for (const event of events.values()) {
    if (event.kind !== "marker" || event.began < begin || event.began > end) continue;
    const at = x(event.began);
    pen.strokeStyle = css("mark"); pen.lineWidth = 2; pen.setLineDash([5, 4]); pen.beginPath(); pen.moveTo(at, top); pen.lineTo(at, bottom); pen.stroke(); pen.setLineDash([]);
    pen.fillStyle = css("mark"); pen.textAlign = at > width - 130 ? "right" : "left"; pen.font = BOLD;
    pen.fillText("⚑ " + event.cause.slice(0, 28), at + (at > width - 130 ? -5 : 5), top + 12);
  }
}

function cross({ pen, x, top, bottom }) {
  const pose = near(poses, pointed, 700), at = pose?.at ?? pointed;
  pen.strokeStyle = css("focus"); pen.lineWidth = 1.5; pen.beginPath(); pen.moveTo(x(at), 0); pen.lineTo(x(at), bottom); pen.stroke();
  ink(pen, "focus", "left"); pen.fillText(clock(present(at)) + (pose ? "" : " – no pose"), x(at) + 5, top + 12);
}

// the last hour

async function hour() {
  if (!document.hidden) try {
    const reply = await fetch("completeness?minutes=60");
    if (reply.ok) drawHour(await reply.json());
  } catch { /* the band says that the box cannot be reached */ }
  setTimeout(hour, 10000);
}

function drawHour(reply) {
  const strip = $("strip");
  for (const stream of reply.streams) {
    let row = $("strip-" + stream.name);
    if (!row) {
      row = make("div", null, "row");
      row.id = "strip-" + stream.name;
      row.append(make("b", PARTS[stream.name] ?? stream.name), make("canvas"), make("span", "", "share"));
      row.children[1].setAttribute("role", "img");
      strip.append(row);
    }
    const share = stream.overall, text = share === null ? "–" : percent(share);
    set(row.lastChild, text);
    label(row.children[1], `${PARTS[stream.name] ?? stream.name}: ${share === null ? "nothing recorded" : text + " recorded"}; ${stream.gaps} gaps`);
    bars(row.children[1], stream.share);
  }
  let ticks = $("ticks");
  if (!ticks) { ticks = make("div", null, "row ticks"); ticks.id = "ticks"; ticks.append(make("span"), make("div"), make("span")); }
  strip.append(ticks);
  ticks.children[1].replaceChildren(...[0, .25, .5, .75, 1].map((part) => make("span", clock(reply.utc[part * (reply.utc.length - 1)], false))));
}
const percent = (share) => (share >= 0.9995 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1)) + " %";

function bars(canvas, share) {
  const [pen, width, height] = surface(canvas), each = width / share.length;
  share.forEach((part, i) => {
    pen.fillStyle = part === null ? css("gap") : part >= 0.98 ? css("cell") : part > 0 ? css("part") : css("none");
    const tall = part === null || part >= 0.98 || part === 0 ? height : Math.max(3, height * part);
    if (part !== null && tall < height) { pen.save(); pen.globalAlpha = .35; pen.fillRect(i * each, 0, Math.ceil(each) - .5, height); pen.restore(); }
    pen.fillRect(i * each, height - tall, Math.max(1, each - 1), tall);
  });
}

// hands

let held = null, pointed = null;

function toggleHold() {
  if (!live) return;
  held = held === null ? playhead() : null;
  pointed = null;
  $("hold").setAttribute("aria-pressed", String(held !== null));
  $("held").hidden = held === null;
}

function point(event) {
  const box = $("axis").getBoundingClientRect(), seconds = box.width < 520 ? 5 : 10;
  const share = (event.clientX - box.left - margin) / (box.width - margin);
  pointed = share < 0 || share > 1 ? null : playhead() - (1 - share) * seconds * 1000;
}

const STEADY_PX = 10; // a finger that moves further scrolls the page
let pressed = null; // where a finger or a button went down

function press(event) {
  pressed = { x: event.clientX, y: event.clientY, pointed };
  if (held !== null) point(event);
}

function release(event) {
  const steady = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < STEADY_PX;
  pressed = null;
  if (steady && held === null) toggleHold();
  if (steady && held !== null) point(event);
}

function scrolled() { // the browser took the finger's way for its own
  if (pressed && held !== null) pointed = pressed.pointed;
  pressed = null;
}

const MARK_WITHIN_MS = 570000; // the box dates a mark up to ten minutes back, writing included
let marked; // box time of the mark that is being written, ms

function openMarker() {
  const dialog = $("marker");
  if (dialog.open) return;
  const shown = pointed ?? held ?? now(), old = now() - shown > MARK_WITHIN_MS;
  marked = offset === null ? undefined : old ? now() : shown; // not when typing ends
  set($("marked"), marked === undefined ? "" : `At ${dated(present(marked))}${old ? ": what is held is too old to be marked" : ""}.`);
  $("note").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  $("note").focus();
}

async function keepMarker() {
  if ($("marker").returnValue !== "keep") return;
  try {
    const reply = await send("markers", JSON.stringify({ note: $("note").value, at: marked }), { "Content-Type": "application/json" });
    say(reply.ok ? "The mark is kept." : "Not kept: " + (await reply.json()).error);
  } catch { say("Not kept: the box cannot be reached."); }
}

async function send(address, body, headers = {}) {
  me = await (await fetch("me")).json(); // another tab may have logged in anew
  return fetch(address, { method: "POST", body, headers: { ...headers, Accept: "application/json", "X-CSRF-Token": me.csrf ?? "" } });
}

function say(text) {
  set($("said"), text);
  clearTimeout(say.timer);
  say.timer = setTimeout(() => set($("said"), ""), 5000);
}

async function submitByHand(event) {
  event.preventDefault();
  const form = event.target, out = form.querySelector("output");
  out.textContent = "Sending …";
  const data = new FormData(form);
  for (const { name, value } of form.querySelectorAll("[inputmode=decimal]")) data.set(name, value.replace(",", ".")); // many a phone has no other key
  try {
    const reply = await send(form.getAttribute("action"), data);
    const answer = await reply.json();
    out.textContent = answer.error ? "Refused: " + answer.error : answer.message + (answer.data.pose_detected ? "; a body was found." : ".");
  } catch { out.textContent = "The box cannot be reached."; }
}

on("hold", "click", toggleHold);
on("leads", "click", () => turned++);
on("mark", "click", openMarker);
on("marker", "close", keepMarker);
on("axis", "pointermove", (event) => { if (held !== null) point(event); });
on("axis", "pointerdown", press);
on("axis", "pointerup", release);
on("axis", "pointercancel", scrolled);
for (const form of document.querySelectorAll(".forms form")) form.addEventListener("submit", submitByHand);
on("logout", "click", async (event) => { event.preventDefault(); await send("logout", ""); location.assign("login.html"); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, dialog, textarea, select")) return;
  if (event.key === "m") { event.preventDefault(); openMarker(); }
  if (event.key === "h") toggleHold();
  if (held !== null && /^Arrow(Left|Right)$/.test(event.key)) {
    pointed = Math.min(held, (pointed ?? held) + (event.key === "ArrowLeft" ? -100 : 100));
    event.preventDefault();
  }
});
document.addEventListener("visibilitychange", () => { woke = true; if (!document.hidden) tell(); });
addEventListener("pageshow", (event) => { // by "Back", perhaps after a logout: ask the box anew
  if (!event.persisted) return;
  document.body.hidden = true;
  location.reload();
});

// going

let drawn = 0, told = 0, wasDead = true;

function describe() {
  const end = playhead(), names = leadNames({ begin: end - 10000, end });
  label($("axis"), dead() ? "Nothing live is drawn." :
    `${names.length ? "ECG of leads " + names.join(", ") : "No ECG"}; ${near(poses, end, NEAR_MS)?.state === "pose" ? "a body is seen" : "no body is seen"}.`);
  label($("body"), dead() ? "Nothing live is drawn." : near(poses, end, NEAR_MS)?.state === "pose" ? "Skeleton of the person in the picture." : "No body is seen.");
}

function frame(at) {
  const gone = dead();
  if (gone !== wasDead || at - told > 250) { told = at; wasDead = gone; tell(); }
  if (at - drawn > (calm.matches ? 950 : 30) && !gone) { drawn = at; drawAxis(); drawBody(); }
  requestAnimationFrame(frame);
}

fetch("me").then((reply) => reply.json()).then((found) => {
  me = found;
  $("logout").hidden = !me.name;
  for (const id of ["export", "forms"]) $(id).hidden = me.role === "viewer"; // refused to them
}, () => {});
setInterval(() => live && describe(), 3000);
requestAnimationFrame(frame);
poll();
hour();
