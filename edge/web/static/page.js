// The live page: asks the box again and again, and shows what is known by now.

import { drawAxis } from "./axis.js";
import { drawBody } from "./body.js";
import "./hands.js";
import { hour } from "./hour.js";
import { POLL_MS, dead, held, tick, wake } from "./playing.js";
import { cursor, live, take } from "./received.js";
import { forgetMark, greet, isWriting } from "./sending.js";
import { describe, tell } from "./words.js";

const GIVE_UP_MS = 2500, TELL_MS = 250, DRAW_MS = 30, CALM_MS = 950;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let release; // of the box, when this page was loaded
let trouble = ""; // why there is no answer
let leaving = false; // asked for again, another page would begin to load again
let drawn = 0, told = 0, wasDead = true;

async function ask() {
  const sent = tick();
  try {
    const reply = await fetch("live?since=" + cursor, { signal: AbortSignal.timeout(GIVE_UP_MS) });
    if (reply.status === 401) { leaving = true; return location.assign("login.html"); }
    if (!reply.ok) throw new Error("the box answered " + reply.status);
    got(await reply.json(), sent);
    trouble = "";
  } catch (error) {
    trouble = error.name === "TimeoutError" ? "the box takes too long to answer" : "the box cannot be reached";
  }
}

function got(reply, sent) {
  release ??= reply.page;
  const busy = held !== null || isWriting(); // whoever writes or looks at what is held goes on
  if (reply.page !== release && !busy) { // after an update: this script is an old one
    leaving = true;
    return location.reload();
  }
  if (take(reply, sent, tick())) forgetMark(); // its time is another
}

async function poll() {
  if (!document.hidden) await ask();
  if (!leaving) setTimeout(poll, POLL_MS);
}

function frame(at) {
  const gone = dead();
  if (gone !== wasDead || at - told > TELL_MS) { told = at; wasDead = gone; tell(trouble); }
  if (at - drawn > (calm.matches ? CALM_MS : DRAW_MS) && !gone) { drawn = at; drawAxis(); drawBody(); }
  requestAnimationFrame(frame);
}

document.addEventListener("visibilitychange", () => { wake(); if (!document.hidden) tell(trouble); });
addEventListener("pageshow", (event) => { // by "Back", perhaps after a logout: ask the box anew
  if (!event.persisted) return;
  document.body.hidden = true;
  location.reload();
});
setInterval(() => live && describe(), 3000);
greet().catch(() => {}); // the band says that the box cannot be reached
requestAnimationFrame(frame);
poll();
hour();
