// The export page: which stretch, which tables, and where to.

import { $, css, make } from "./elements.js";

const TABLES = { joined: "Body and ECG joined", ecg: "Every ECG sample", vitals: "Vital signs", events: "Gaps, markers, states" };
const DAY_AGAIN_MS = 60000; // a minute of the strip
const AGAIN_MS = 2000; // after an error
const LET_GO = "Keep this stretch no longer? If it is older than the rest of the recording, it is deleted at once.";
export let day = null; // how complete the last day is
let me = {}, span = null; // span: what the stretch comes to in box time

async function ask(address) {
  const reply = await fetch(address).catch(() => { throw new Error("The box cannot be reached."); });
  if (reply.status === 401) location.assign("login.html");
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}
async function tell(address, body = {}) {
  try {
    me = await ask("me"); // another tab may have logged in anew
    const reply = await fetch(address, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-CSRF-Token": me.csrf ?? "" } });
    const answer = await reply.json();
    if (!reply.ok) say(answer.error);
    return reply.ok;
  } catch {
    say("The box cannot be reached.");
  } finally {
    usb();
  }
}
function say(text) { $("said").textContent = text; clearTimeout(say.timer); say.timer = setTimeout(() => { $("said").textContent = ""; }, 8000); }
const local = (ms) => { const d = new Date(ms); return new Date(ms - d.getTimezoneOffset() * 60000).toISOString().slice(0, 19); };
const dated = (ms) => new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }); // as the live page: 11/12 is two days
const iso = (id) => $(id).value ? new Date($(id).value).toISOString() : "";
const meant = {}; // what is sent for a field whose text cannot say it: "-1h", or one of two hours that read alike
const sent = (id) => meant[id] ?? iso(id);
function put(id, text, value) { $(id).value = text; meant[id] = value; }
const size = (bytes) => bytes < 1e6 ? Math.max(1, Math.round(bytes / 1e3)) + " kB" : bytes < 1e9 ? (bytes / 1e6).toFixed(1) + " MB" : (bytes / 1e9).toFixed(1) + " GB";
const ticked = (id) => [...$(id).querySelectorAll("input:checked")].map((box) => box.value);

function tick(id, value, text, on) {
  const label = make("label", null, "tick"), box = Object.assign(make("input"), { type: "checkbox", value, checked: on });
  label.append(box, " " + text);
  $(id).append(label);
}

function start() { // its parts come independently of one another
  setInterval(usb, 1500);
  setInterval(again, DAY_AGAIN_MS);
  document.addEventListener("visibilitychange", again);
  persist(choices, "size");
  persist(readDay, "hint");
  persist(sessions, "sessions-note");
}

async function persist(part, note, said = $(note).textContent) {
  try {
    await part();
    $(note).textContent = said;
  } catch (error) {
    $(note).textContent = error.message;
    setTimeout(persist, AGAIN_MS, part, note, said);
  }
}

async function choices() {
  me = await ask("me");
  const found = await ask("exports");
  for (const name of found.tables) tick("tables", name, TABLES[name] ?? name, true);
  for (const name of found.formats) tick("formats", name, name.toUpperCase(), name === "csv");
  $("zone").textContent = "Times of " + Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.addEventListener("change", estimate);
  show(found);
  estimate();
}

async function sessions() {
  const found = await ask("sessions");
  $("sessions").replaceChildren(...found.sessions.slice(0, 12).map((s) => {
    const row = make("tr", null, "part");
    row.append(make("td", dated(s.utc)), make("td", s.subject || "no code"), make("td", s.version), make("td", s.synchronised ? "set by a server" : "not set"));
    return row;
  }));
}

async function usb() { if (!document.hidden) try { show(await ask("exports")); } catch (error) { $("usb").textContent = error.message; } }

function show({ usb, trouble, history, kept }) {
  const share = usb.progress?.share;
  const words = { idle: "No export is going on.", armed: `Armed for ${Math.ceil((usb.armed_s ?? 0) / 60)} min: ${usb.sentence}.`, writing: `${usb.sentence}.`, done: `Done: ${usb.sentence}.`, failed: `Failed: ${usb.sentence}.` };
  $("usb").textContent = trouble || words[usb.state] + (share ? ` ${Math.floor(share * 100)} %` : "");
  $("usb").dataset.state = usb.state;
  $("progress").hidden = usb.state !== "writing";
  $("progress").value = share ?? 0;
  const busy = usb.state === "armed" || usb.state === "writing", was = document.activeElement;
  $("arm").hidden = busy;
  $("cancel").hidden = !busy;
  if (was === $(busy ? "arm" : "cancel")) $(busy ? "cancel" : "arm").focus();
  const key = JSON.stringify([usb.drives, usb.enrolled]);
  if ($("drives").dataset.key !== key) {
    $("drives").dataset.key = key;
    refill("drives", [...usb.drives.map(drive), ...usb.enrolled.filter((d) => !usb.drives.some((x) => x.id === d.drive)).map((d) => drive({ id: d.drive, label: d.label, enrolled: true, away: true }))]);
  }
  if ($("kept").dataset.key !== JSON.stringify(kept)) {
    $("kept").dataset.key = JSON.stringify(kept);
    refill("kept", kept.map(stretch));
  }
  if (history.length) $("events").replaceChildren(...history.map((event) => {
    const item = make("li");
    item.append(make("time", dated(event.utc)), make("span", event.cause));
    return item;
  }));
}

function refill(id, items) { // who stands on a button of the list stays there, or on the next
  const list = $(id), at = [...list.children].findIndex((item) => item.contains(document.activeElement)), of = list.children[at]?.dataset.of;
  list.replaceChildren(...items);
  if (at < 0) return;
  const item = items.find((one) => one.dataset.of === of) ?? items[Math.min(at, items.length - 1)];
  (item?.querySelector("button") ?? $(id === "kept" ? "keep" : "arm")).focus();
}

function button(item, said, act) { // named with what it is for, which a list of buttons does not show
  const made = Object.assign(make("button", said), { type: "button" });
  made.setAttribute("aria-label", `${said}: ${item.textContent}`);
  made.addEventListener("click", act);
  return made;
}

function stretch({ number, begin, end, utc, why }) {
  const minutes = Math.max(1, Math.round((end - begin) / 60000));
  const item = make("li", `${dated(utc)}, ${minutes} min: ${why} `);
  item.dataset.of = number;
  item.append(button(item, "Keep no longer", () => confirm(LET_GO) && tell("kept/release", { number })));
  return item;
}

export function drive(found) {
  const item = make("li", `${found.label}${found.size ? ", " + size(found.size) : ""}${found.away ? ", not plugged in" : ""}${found.fault ? ": " + found.fault : ""} `);
  const made = found.enrolled ? button(item, "Enrolled – forget", () => tell("drives/forget", { drive: found.id }))
    : button(item, "Enrol: always write what is new", () => tell("drives/enrol", { ...order(), drive: found.id, from: undefined, to: undefined }));
  item.dataset.of = found.id;
  made.className = found.enrolled ? "" : "writes";
  made.disabled = !found.enrolled && nothing();
  if (!found.fault) item.append(made);
  return item;
}

const order = () => ({ from: sent("from"), to: sent("to"), tables: ticked("tables"), formats: ticked("formats"), deidentify: $("deidentify").checked });

const nothing = () => !ticked("tables").length || !ticked("formats").length; // the box would take that for everything

function estimate() {
  links();
  for (const button of document.querySelectorAll(".writes")) button.disabled = nothing();
  for (const button of quick) button.setAttribute("aria-pressed", String(!sent("to") && sent("from") === back(button)));
  return measure();
}

const range = () => new URLSearchParams({ from: sent("from"), to: sent("to") });

function links() {
  const { deidentify } = order();
  $("downloads").replaceChildren(...ticked("tables").map((name) => {
    const item = make("li"), link = make("a", TABLES[name] ?? name);
    link.href = `export.csv?table=${name}&${range()}&deidentify=${deidentify}`;
    link.download = name + ".csv";
    item.append(link);
    return item;
  }));
}

async function measure() {
  clearTimeout(measure.timer);
  try {
    const found = await ask("exports/estimate?" + range()), tables = ticked("tables").map((name) => found.tables[name]);
    const bytes = tables.reduce((sum, t) => sum + t.bytes, 0), parts = Math.max(1, Math.ceil(bytes / 4e9));
    $("size").textContent = nothing() ? "Tick at least one table and one format to write to a drive." : `As CSV about ${size(bytes)}${parts > 1 ? ` in ${parts} parts or more` : ""}.`;
    span = found;
    mark();
  } catch (error) {
    $("size").textContent = error.message;
    measure.timer = setTimeout(measure, AGAIN_MS);
  }
}

// ---- the last day, to drag over

async function readDay() {
  day = await ask("completeness?minutes=1440");
  for (const stream of day.streams) tellStream(stream);
  tellTimes();
  mark();
}

async function again() { // time has gone on since
  if (!document.hidden) try { await readDay(); await measure(); } catch { /* the state of the drives says it */ }
}

function tellStream(stream) {
  const row = $("strip-" + stream.name) ?? stripRow(stream.name), [, canvas, share] = row.children;
  const text = stream.overall === null ? "–" : Math.floor(stream.overall * 100) + " %";
  canvas.setAttribute("aria-label", `${stream.name} over the last day: ${stream.overall === null ? "nothing" : text} recorded`);
  canvas.stream = stream;
  share.textContent = text;
}

function tellTimes() { // under the strip, with the day: it begins and ends at the same time of day
  let row = $("ticks");
  if (!row) { row = Object.assign(make("div", null, "row ticks"), { id: "ticks" }); row.append(make("span"), make("div"), make("span")); }
  $("strip").append(row);
  const said = (ms) => new Date(ms).toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
  const times = [0, .25, .5, .75].map((part) => said(day.utc[part * (day.utc.length - 1)]));
  row.children[1].replaceChildren(...[...times, "now"].map((text) => make("span", text)));
}

function stripRow(name) {
  const row = Object.assign(make("div", null, "row"), { id: "strip-" + name }), canvas = make("canvas");
  canvas.setAttribute("role", "img");
  canvas.addEventListener("pointerdown", drag);
  canvas.addEventListener("pointermove", drag);
  row.append(make("b", name === "ecg" ? "ECG" : "Pose"), canvas, make("span", null, "share"));
  $("strip").append(row);
  return row;
}

function utc(at) { // of an instant of the strip, as the box dates the minute it is in
  const place = Math.max(0, Math.min(day.utc.length - 1, Math.floor((at - day.begin) / day.step)));
  return day.utc[place] + at - day.begin - place * day.step;
}

let from = null;
function drag(event) {
  const box = event.target.getBoundingClientRect(), share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const at = utc(day.begin + share * (day.end - day.begin));
  if (event.type === "pointerdown") { from = at; event.target.setPointerCapture(event.pointerId); }
  if (!event.buttons || from === null) return;
  const ends = [Math.min(from, at), Math.max(from, at) + 60000].map((ms) => Math.floor(ms / 1000) * 1000); // as the fields say it
  for (const [i, id] of ["from", "to"].entries()) put(id, local(ends[i]), new Date(ends[i]).toISOString());
  clearTimeout(drag.timer);
  drag.timer = setTimeout(estimate, 300);
}

function mark() {
  if (!day) return;
  for (const canvas of $("strip").querySelectorAll("canvas")) {
    const box = canvas.getBoundingClientRect(), pen = canvas.getContext("2d"), share = canvas.stream.share;
    Object.assign(canvas, { width: box.width, height: box.height });
    const x = (ms) => (ms - day.begin) / (day.end - day.begin) * box.width;
    share.forEach((part, i) => {
      pen.fillStyle = css(part === null ? "gap" : part >= .98 ? "cell" : part > 0 ? "part" : "none");
      pen.fillRect(i / share.length * box.width, 0, box.width / share.length + .5, box.height);
    });
    if (!span) continue;
    pen.fillStyle = css("paper");
    pen.globalAlpha = .72;
    pen.fillRect(0, 0, x(span.begin), box.height);
    pen.fillRect(x(span.end), 0, box.width, box.height);
  }
}

// ---- stretches that end now, whenever now is

const quick = document.querySelectorAll(".quick button");
const back = (button) => button.dataset.back && `-${button.dataset.back / 3600}h`;

for (const button of quick) button.addEventListener("click", () => {
  put("from", "", back(button));
  put("to", "", "");
  estimate();
});

function edited(event) { // what is typed is meant as it reads
  delete meant[event.target.id];
  if (meant.from?.startsWith("-")) delete meant.from;
}
for (const id of ["from", "to"]) $(id).addEventListener("input", edited);
$("arm").addEventListener("click", () => tell("exports", order()));
$("cancel").addEventListener("click", () => tell("exports/cancel"));
$("keep").addEventListener("click", async () => { // what for must be said: the box says so
  if (await tell("kept", { from: sent("from"), to: sent("to"), why: $("why").value })) $("why").value = "";
});
addEventListener("pageshow", (event) => { // by "Back", perhaps after a logout: ask the box anew
  if (!event.persisted) return;
  document.body.hidden = true;
  location.reload();
});
start();
