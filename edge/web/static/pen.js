// Drawing on a canvas: what all drawings have in common.

import { css } from "./elements.js";

export const PLAIN = "12px system-ui, sans-serif", BOLD = "600 " + PLAIN;

export function surface(canvas) {
  const ratio = Math.min(2, devicePixelRatio || 1), box = canvas.getBoundingClientRect();
  const width = Math.round(box.width * ratio), height = Math.round(box.height * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  pen.font = PLAIN;
  return [pen, box.width, box.height];
}

export function ink(pen, colour, align) { pen.fillStyle = css(colour); pen.textAlign = align; }

export function caption(pen, text, x, y) { ink(pen, "soft", "center"); pen.font = BOLD; pen.fillText(text, x, y); pen.font = PLAIN; }

export function shortened(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let count = text.length;
  while (--count > 1 && pen.measureText(text.slice(0, count) + "…").width > room);
  return text.slice(0, count) + "…";
}
