// What the page says in words of the state of things.

import { $, label, make, mood, set } from "./elements.js";
import { ago, brief, clock, span } from "./figures.js";
import { tellParts } from "./parts.js";
import { dated, dead, held, now, playhead, present, silence } from "./playing.js";
import { NEAR_MS, events, leadNames, live, near, poses } from "./received.js";
import { tellVitals } from "./vitals.js";

export function tell(trouble) { // *trouble*: why the box gives no answer
  const gone = dead();
  mood("dead", gone);
  mood("waiting", !live);
  tellVerdict(gone, trouble);
  if (!live) return;
  const old = gone || !live.now_known;
  mood("dead", old);
  tellFacts(old);
  tellVitals(old);
  tellParts(old);
  tellPose(old);
  tellEvents();
}

function tellVerdict(gone, trouble) {
  let { level, headline, why } = live?.verdict ?? {};
  if (gone) {
    level = "off";
    headline = live || trouble ? "No connection to the box" : "Asking the box …";
    why = !live ? (trouble ? `Nothing here is live: ${trouble}.` : "This page has had no answer yet.")
      : `Nothing here is live: ${trouble || "the page slept"}.${live.now_known ? ` Last answer at {${live.now}}.` : ""} The box may still be recording.`;
  }
  if ($("band").dataset.level !== level) $("band").dataset.level = level;
  set($("headline"), headline);
  tellWhy(why);
  tellHeld();
  document.title = `${{ ok: "●", warn: "▲", bad: "■", off: "✕" }[level]} ${headline}`;
}

export function tellHeld() {
  $("hold").setAttribute("aria-pressed", String(held !== null));
  $("held").hidden = $("paused").hidden = held === null;
  if (held !== null) set($("paused"), `Curve and body are held at ${dated(present(held))} – not live.`);
}

function tellWhy(why) { // read aloud when it changes: its ages go on unheard
  const parts = why.split(/\{(\d+(?:\.\d+)?)\}/).map((part, i) => i % 2 ? { at: +part, text: dated(present(+part), false) + " " } : { text: part });
  const key = parts.map((part) => part.text).join("");
  if ($("why").dataset.key !== key) {
    $("why").dataset.key = key;
    $("why").replaceChildren(...parts.flatMap(({ at, text }) => at === undefined ? text : [text, Object.assign(make("span"), { at })]));
    for (const age of $("why").children) age.setAttribute("aria-hidden", "true");
  }
  const silent = silence();
  for (const age of $("why").children) set(age, `(${span(live.now + silent - age.at)})`);
}

function tellFacts(gone) {
  const session = live.session, left = live.storage?.hours_left;
  set($("subject"), session ? session.subject || "no code" : "–");
  set($("running"), gone || live.verdict.level === "bad" ? "–" : span(now() - session.started));
  set($("room"), left == null ? "–" : span(left * 3600e3));
  set($("time"), gone ? "–" : clock(present(now())));
}

function tellPose(gone) {
  const pose = near(poses, playhead(), NEAR_MS);
  const ms = pose ? now() - pose.at : Infinity;
  set($("pose-age"), held !== null ? "held" : !pose ? "none" : gone ? "old" : ago(ms));
  set($("pose-note"), !pose ? "" : pose.state === "pose" ? `${pose.device} ${Math.round(pose.ms)} ms · ${pose.source}` :
    pose.state === "absent" ? "Nobody in the picture." : "No body found in the picture.");
}

function tellEvents() {
  const list = [...events.values()].sort((a, b) => b.began - a.began || b.row - a.row).slice(0, 20);
  const key = JSON.stringify([new Date(present(now())).toDateString(), list.map((e) => [e.row, e.utc, e.lasted])]);
  if (!list.length || $("events").dataset.key === key) return;
  $("events").dataset.key = key;
  $("events").replaceChildren(...list.map((event) => {
    const item = make("li", null, event.kind === "marker" ? "marker" : "");
    const length = event.lasted > 0 ? ` (${brief(event.lasted)})` : "";
    item.append(make("time", dated(event.utc)), make("span", (event.kind === "marker" ? "⚑ " : "") + event.cause + length));
    return item;
  }));
}

export function describe() { // the drawings, to whom they are read aloud
  const end = playhead(), names = leadNames({ begin: end - 10000, end }), seen = near(poses, end, NEAR_MS)?.state === "pose";
  const say = (id, text) => label($(id), dead() ? "Nothing live is drawn." : text);
  say("axis", `${names.length ? "ECG of leads " + names.join(", ") : "No ECG"}; ${seen ? "a" : "no"} body is seen.`);
  say("body", seen ? "Skeleton of the person in the picture." : "No body is seen.");
}
