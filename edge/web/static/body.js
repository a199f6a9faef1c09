// Bodies as they are drawn, and the one of now.

import { $, css } from "./elements.js";
import { ink, surface } from "./pen.js";
import { playhead, pointed } from "./playing.js";
import { live, near, poses } from "./received.js";

const LIMBS = [ // pairs of keypoints, and the side they are on
  [5, 7, "left"], [7, 9, "left"], [11, 13, "left"], [13, 15, "left"], [6, 8, "right"], [8, 10, "right"],
  [12, 14, "right"], [14, 16, "right"], [5, 6, "spine"], [11, 12, "spine"], [5, 11, "spine"], [6, 12, "spine"],
];
const sure = (pose, i) => pose.xys[3 * i + 2] > live.sure_score; // as the box counts, which says whether there is a body

export function person(pen, pose, x, y, scale, thick) {
  const point = (i) => [x + pose.xys[3 * i] * scale, y + pose.xys[3 * i + 1] * scale];
  const seen = (i) => sure(pose, i);
  pen.lineCap = pen.lineJoin = "round";
  if ([5, 6, 12, 11].every(seen)) {
    pen.beginPath();
    for (const i of [5, 6, 12, 11]) pen.lineTo(...point(i));
    pen.closePath();
    pen.globalAlpha = 0.16; pen.fillStyle = css("spine"); pen.fill(); pen.globalAlpha = 1;
  }
  for (const side of ["spine", "left", "right"]) {
    pen.strokeStyle = css(side); pen.lineWidth = thick; pen.beginPath();
    for (const [a, b, where] of LIMBS) if (where === side) {
      const ends = [a, b].filter(seen); // of one a dot: what was seen is never drawn as nothing
      if (ends.length) { pen.moveTo(...point(ends[0])); pen.lineTo(...point(ends.at(-1))); }
    }
    pen.stroke();
  }
  head(pen, pose, point, seen, thick);
}

function head(pen, pose, point, seen, thick) {
  const face = [0, 1, 2, 3, 4].filter(seen).map(point);
  if (!face.length) return;
  const apart = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]), least = thick * 1.4;
  const middle = [0, 1].map((axis) => face.reduce((sum, p) => sum + p[axis], 0) / face.length);
  let radius = Math.max(...face.map((p) => apart(p, middle)), least);
  if (seen(5) && seen(6)) radius = Math.min(radius * 1.3, Math.max(least, 0.7 * apart(point(5), point(6))));
  pen.strokeStyle = css("spine"); pen.lineWidth = thick * 0.8;
  pen.beginPath(); pen.arc(...middle, radius, 0, 7); pen.stroke();
}

export function outline(pose) { // of the keypoints that are seen
  const seen = [...Array(17).keys()].filter((i) => sure(pose, i));
  if (!seen.length) return null;
  const xs = seen.map((i) => pose.xys[3 * i]), ys = seen.map((i) => pose.xys[3 * i + 1]);
  return { x0: Math.min(...xs), x1: Math.max(...xs), y0: Math.min(...ys), y1: Math.max(...ys) };
}

export function drawBody() {
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
