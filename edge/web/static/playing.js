// Whose time it is. The page plays a little behind the recorder, on the recorder's clock
// alone: the browser's own clock is looked at only to notice that it slept.

import { clock } from "./figures.js";

export const STALE_MS = 3000, POLL_MS = 500;

export let offset = null; // recorder's now − tick(), ms
export let delay = 1300; // how far behind the page plays, ms
export let held = null; // the instant at which the page stands still, box time in ms
export let pointed = null; // and that which is pointed at in what is held
let ahead = 0; // UTC of this session less box time, ms; of others the box tells it
let answered = -Infinity; // tick() of the last good answer
let answeredWall = 0; // Date.now() of it: runs on while the laptop sleeps
let woke = false; // true until the first answer after a sleep or a hidden tab

export const tick = () => performance.now();
export const now = () => tick() + offset;
export const present = (boxMs) => boxMs + ahead;
export const playhead = () => held ?? now() - delay;

export function dated(utc, seconds) { // with the day where it is not today
  const date = new Date(utc), today = new Date(present(now()));
  if (date.toDateString() === today.toDateString()) return clock(utc, seconds);
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year }) + " " + clock(utc, seconds);
}

export const silence = () => Math.max(tick() - answered, Date.now() - answeredWall); // since the last answer, ms

export function dead() {
  const silent = tick() - answered, wall = Date.now() - answeredWall;
  if (Math.abs(wall - silent) > 1500) woke = true;
  return woke || offset === null || silent > STALE_MS;
}

export function wake() { woke = true; }

export function learnTime(reply, sent, got) {
  const found = reply.now - (sent + got) / 2;
  const slip = offset === null ? Infinity : found - offset;
  offset = Math.abs(slip) > 250 ? found : offset + slip * 0.1;
  ahead = reply.utc_minus_box;
  answered = got;
  answeredWall = Date.now();
  woke = false;
}

export function learnDelay(end) {
  if (!end) return;
  const wanted = Math.min(3000, Math.max(700, now() - end + POLL_MS + 250));
  delay += (wanted - delay) * (wanted > delay ? 0.5 : 0.02);
}

export function hold(is) {
  held = is ? playhead() : null;
  pointed = null;
}

export function pointAt(boxMs) { pointed = boxMs; }
