// Hands on the curve: holding it, and pointing at an instant of it.

import { margin, secondsIn } from "./axis.js";
import { $, on } from "./elements.js";
import { held, hold, playhead, pointAt, pointed } from "./playing.js";
import { live } from "./received.js";
import { openMarker } from "./sending.js";
import { tellHeld } from "./words.js";

const STEADY_PX = 10; // a finger that moves further scrolls the page
let pressed = null; // where a finger or a button went down

on("hold", "click", toggleHold);
on("axis", "pointermove", (event) => { if (held !== null) point(event); });
on("axis", "pointerdown", press);
on("axis", "pointerup", release);
on("axis", "pointercancel", scrolled);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, dialog, textarea, select")) return;
  if (event.key === "m") { event.preventDefault(); openMarker(); }
  if (event.key === "h") toggleHold();
  if (held !== null && /^Arrow(Left|Right)$/.test(event.key)) {
    pointAt(Math.min(held, (pointed ?? held) + (event.key === "ArrowLeft" ? -100 : 100)));
    event.preventDefault();
  }
});

function toggleHold() {
  if (!live) return;
  hold(held === null);
  tellHeld();
}

function point(event) {
  const box = $("axis").getBoundingClientRect(), seconds = secondsIn(box.width);
  const share = (event.clientX - box.left - margin) / (box.width - margin);
  pointAt(share < 0 || share > 1 ? null : playhead() - (1 - share) * seconds * 1000);
}

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
  if (pressed && held !== null) pointAt(pressed.pointed);
  pressed = null;
}
