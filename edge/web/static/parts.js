// The parts of the box and how they are.

import { $, make, set } from "./elements.js";
import { ago, few, many } from "./figures.js";
import { dated, now, present } from "./playing.js";
import { live } from "./received.js";

const WORDS = { ok: "well", stale: "late", lost: "lost", off: "off" };
const LATE = ["ecg", "camera", "pose"]; // only data can be late
export const PARTS = { ecg: "ECG", camera: "Camera", pose: "Pose", store: "Store", clock: "Clock", tpu: "TPU", power: "Power" };

export function tellParts(gone) {
  const body = $("parts");
  for (const part of live.streams) {
    let row = $("part-" + part.name);
    if (!row) {
      row = make("tr", null, "part");
      row.id = "part-" + part.name;
      row.innerHTML = '<th scope="row"></th><td class="word"></td><td></td><td></td><td></td>';
      set(row.firstChild, PARTS[part.name] ?? part.name);
      const about = make("tr", null, "about");
      about.append(make("td"));
      about.firstChild.colSpan = 5;
      body.append(row, about);
    }
    const [, state, last, received, lost] = row.children;
    if (row.dataset.state !== part.state) row.dataset.state = part.state;
    const since = ["ok", "off"].includes(part.state) ? "" : `since ${dated(present(part.since), false)}`;
    set(state, (gone ? "was " : "") + (part.state === "stale" && !LATE.includes(part.name) ? "poor" : WORDS[part.state] ?? part.state));
    set(row.nextSibling.firstChild, [since, part.cause, part.about].filter(Boolean).join(" · "));
    set(last, part.last === null ? "–" : gone ? "old" : ago(now() - part.last));
    set(received, few(part.received));
    set(lost, few(part.dropped + part.damaged));
  }
  const saved = Object.entries(live.saved).map(([name, count]) => `${many(count)} ${name}`).join(", ");
  set($("saved"), saved ? `Saved on the card since the start: ${saved}.` : "");
  tellMachine(live.machine);
}

function tellMachine({ temperature_c: heat, memory_available: free, troubles = [] }) {
  const numbers = [heat == null ? "" : `${Math.round(heat)} °C`, free == null ? "" : `${Math.round(free * 100)} % of the memory free`];
  const said = [numbers.filter(Boolean).join(", "), ...troubles].filter(Boolean).join("; ");
  set($("machine"), said && `The machine: ${said}.`);
  $("machine").classList.toggle("trouble", troubles.length > 0);
}
