// The curves of the leads, one lane each, and where there is no ECG.

import { css } from "./elements.js";
import { BOLD, PLAIN, caption, ink, shortened } from "./pen.js";
import { tick } from "./playing.js";
import { chunks, column, segments, time } from "./received.js";

let lanesScale = 0, shrinkAt = 0; // millivolts of a lane; when it may be fewer

const reach = (chunk) => chunk.offsets ? 2500 : Math.max(60, 3 * chunk.period); // ms to the next sample

export function hatch({ pen, begin, end, x, top, bottom }, lanes) {
  const here = chunks.filter((c) => c.end > begin && c.start < end && segments[c.segment]?.live);
  if (!here.length && !lanes.length) caption(pen, "no ECG", x((begin + end) / 2), (top + bottom) / 2);
  let covered = here.length ? Math.max(begin, here[0].start) : begin;
  const holes = here.length && here[0].start > begin + 50 && chunks[0].start < begin ? [[begin, here[0].start]] : [];
  for (const chunk of here) {
    if (chunk.start - covered > reach(chunk)) holes.push([covered, chunk.start]);
    covered = Math.max(covered, chunk.end);
  }
  if (end - covered > 1000) holes.push([covered, end]);
  for (const [from, to] of holes) {
    pen.fillStyle = css("gap"); pen.fillRect(x(from), top, x(to) - x(from), bottom - top);
    if (x(to) - x(from) > 70) caption(pen, "no data", (x(from) + x(to)) / 2, (top + bottom) / 2);
  }
}

export function traces(view, lanes) {
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
  pen.strokeStyle = css("trace"); pen.lineWidth = 1.6; pen.lineJoin = "round"; pen.beginPath();
  let last = -Infinity;
  for (const chunk of chunks) {
    const values = column(chunk, name);
    if (!values || chunk.end < begin || chunk.start > end) continue;
    const step = reach(chunk);
    for (let i = 0; i < values.length; i++) {
      const t = time(chunk, i);
      if (t > end) break;
      if (values[i] === null) { last = -Infinity; continue; }
      const across = x(t), down = y(values[i]);
      if (t - last <= step) pen.lineTo(across, down);
      else {
        if (chunk.offsets || !chunk.period) pen.rect(across - 1.5, down - 1.5, 3, 3); // a sample by itself
        pen.moveTo(across, down);
      }
      last = t;
    }
  }
  pen.stroke();
}
