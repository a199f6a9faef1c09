// What the recorder sent, as much of it as is near now.

import { held, hold, learnDelay, learnTime, now } from "./playing.js";

const KEEP_MS = 16000;
export const NEAR_MS = 1500;

export const chunks = [], poses = [], events = new Map(), vitals = new Map(), segments = {};
export let live = null; // the last answer
export let cursor = ""; // up to where that was
let rows = []; // of each table up to there

export function take(reply, sent, got) { // returns whether another database began
  const counts = reply.cursor ? reply.cursor.split(".").map(Number) : rows; // none while nothing can be read
  const other = counts.some((count, i) => count < rows[i]); // rows are numbered from 1 again
  rows = counts;
  if (reply.reset) beginAnew(other);
  const set = live && Math.abs(reply.utc_minus_box - live.utc_minus_box) > 1000;
  live = reply;
  cursor = set ? "" : reply.cursor; // once the clock is set, everything has another date
  Object.assign(segments, reply.segments);
  learnTime(reply, sent, got);
  takeData(reply);
  learnDelay(newestEnd(reply));
  forget();
  return Boolean(reply.reset) && other;
}

function takeData(reply) {
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
}

function newestEnd(reply) { // of board and camera: what is uploaded may have any date
  const flows = (chunk) => segments[chunk.segment]?.live;
  const ends = chunks.some(flows) ? reply.ecg.filter(flows).map((chunk) => chunk.end)
    : reply.poses.filter((pose) => pose.source === "camera").map((pose) => pose.at);
  return ends.reduce((one, other) => Math.max(one, other), 0);
}

function beginAnew(other) { // with another database, or in this one: too far behind, or its clock was set
  events.clear(); vitals.clear();
  if (held !== null && !other) return; // what is held has not changed
  chunks.length = poses.length = 0;
  hold(false);
}

function forget() { // all but what is near now, and what a hold shows, however long it lasts
  const kept = (first, last) => (last >= now() - KEEP_MS && first <= now() + KEEP_MS) || (held !== null && last >= held - KEEP_MS && first <= held + NEAR_MS);
  for (const [list, first, last] of [[chunks, "start", "end"], [poses, "at", "at"]]) {
    const left = list.filter((entry) => kept(entry[first], entry[last])).sort((a, b) => a[last] - b[last]);
    list.splice(0, list.length, ...left);
  }
  for (const row of [...events.keys()].sort((a, b) => a - b).slice(0, -40)) events.delete(row);
}

export function near(list, at, tolerance) {
  let best = null;
  for (const entry of list) if (Math.abs(entry.at - at) <= tolerance && (!best || Math.abs(entry.at - at) < Math.abs(best.at - at))) best = entry;
  return best;
}

export function column(chunk, name) { return chunk.mv[segments[chunk.segment]?.leads.indexOf(name)]; }
export function time(chunk, i) { return chunk.start + (chunk.offsets ? chunk.offsets[i] : i * chunk.period); }

export function leadNames({ begin, end }) {
  const names = new Set();
  for (const chunk of chunks) if (chunk.end > begin && chunk.start < end) for (const name of segments[chunk.segment]?.leads ?? []) names.add(name);
  return [...names];
}
