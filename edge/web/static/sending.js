// What a person sends to the box: marks, pictures and records by hand.

import { $, on, set } from "./elements.js";
import { dated, held, now, offset, pointed, present } from "./playing.js";

const MARK_WITHIN_MS = 570000; // the box dates a mark up to ten minutes back, writing included
export let marked; // box time of the mark that is being written, ms
let me = {};

on("mark", "click", openMarker);
on("marker", "close", keepMarker);
for (const form of document.querySelectorAll(".forms form")) form.addEventListener("submit", submitByHand);
on("logout", "click", async (event) => { event.preventDefault(); await send("logout", ""); location.assign("login.html"); });

export async function greet() { // shows what the one who is there may use
  me = await (await fetch("me")).json();
  $("logout").hidden = !me.name;
  for (const id of ["export", "forms"]) $(id).hidden = me.role === "viewer"; // refused to them
}

export function forgetMark() { marked = undefined; }

export function isWriting() {
  const written = [...document.querySelectorAll(".forms input")].some((field) => field.value !== field.defaultValue);
  return written || $("marker").open;
}

export function openMarker() {
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
    if (!answer.error) form.reset(); // what is still written there was not sent
    out.textContent = answer.error ? "Refused: " + answer.error : answer.message + (answer.data.pose_detected ? "; a body was found." : ".");
  } catch { out.textContent = "The box cannot be reached."; }
}
