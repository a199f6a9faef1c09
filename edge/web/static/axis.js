// Body and ECG on one axis of time.

import { $, css, on, set } from "./elements.js";
import { outline, person } from "./body.js";
import { clock } from "./figures.js";
import { BOLD, PLAIN, ink, surface } from "./pen.js";
import { playhead, pointed, present } from "./playing.js";
import { events, leadNames, live, near, poses } from "./received.js";
import { hatch, traces } from "./traces.js";

export let margin = 46; // left of the traces, pixels
let turned = 0; // how often the next leads were asked for

on("leads", "click", () => turned++);

export const secondsIn = (width) => width < 520 ? 5 : 10;

export function drawAxis() {
  const [pen, width, height] = surface($("axis"));
  if (!live) return;
  const end = playhead(), seconds = secondsIn(width), film = Math.min(78, height * 0.2), foot = 20;
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

function roomForNames(pen, names, width) { // never so much that little is left for the traces
  pen.font = BOLD;
  const widest = Math.max(0, ...names.map((name) => pen.measureText(name).width));
  pen.font = PLAIN;
  return Math.max(46, Math.min(widest + 10, width / 4));
}

function laneNames(view) { // as many leads as can be told apart
  const all = leadNames(view), pages = Math.ceil(all.length / Math.max(4, Math.floor((view.bottom - view.top) / 30))) || 1;
  const each = Math.ceil(all.length / pages), first = turned % pages * each, shown = all.slice(first, first + each);
  $("leads").hidden = pages < 2;
  const ends = shown.every((name) => name.length < 9) ? [shown[0], shown.at(-1)] : [first + 1, first + shown.length];
  if (pages > 1) set($("leads"), `${ends.join(" – ")} of ${all.length} leads`);
  return shown;
}

function paper({ pen, width, left, begin, end, top, bottom, height, x }) {
  for (const [step, colour] of [[200, "grid"], [1000, "grid-strong"]]) {
    pen.strokeStyle = css(colour); pen.lineWidth = 1; pen.beginPath();
    for (let t = Math.ceil(begin / step) * step; t <= end; t += step) { pen.moveTo(x(t), top); pen.lineTo(x(t), bottom); }
    pen.stroke();
  }
  ink(pen, "soft", "center");
  const every = x(1000) - x(0) < 64 ? 2000 : 1000;
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

function flags({ pen, begin, end, x, top, bottom, width }) {
  for (const event of events.values()) {
    if (event.kind !== "marker" || event.began < begin || event.began > end) continue;
    const at = x(event.began);
    pen.strokeStyle = css("mark"); pen.lineWidth = 2; pen.setLineDash([5, 4]); pen.beginPath(); pen.moveTo(at, top); pen.lineTo(at, bottom); pen.stroke(); pen.setLineDash([]);
    const late = at > width - 130;
    ink(pen, "mark", late ? "right" : "left"); pen.font = BOLD;
    pen.fillText("⚑ " + event.cause.slice(0, 28), at + (late ? -5 : 5), top + 12);
  }
}

function cross({ pen, x, top, bottom }) {
  const pose = near(poses, pointed, 700), at = pose?.at ?? pointed;
  pen.strokeStyle = css("focus"); pen.lineWidth = 1.5; pen.beginPath(); pen.moveTo(x(at), 0); pen.lineTo(x(at), bottom); pen.stroke();
  ink(pen, "focus", "left"); pen.fillText(clock(present(at)) + (pose ? "" : " – no pose"), x(at) + 5, top + 12);
}
