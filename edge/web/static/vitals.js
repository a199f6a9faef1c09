// The vital signs, each with its age.

import { $, make, set } from "./elements.js";
import { ago } from "./figures.js";
import { STALE_MS, now } from "./playing.js";
import { vitals } from "./received.js";

const COMPUTED_STALE_MS = 9000;

const SHOWN = [
  ["heart_rate", "Heart rate"], ["oxygen_saturation", "SpO₂"], ["blood_pressure", "Blood pressure"],
  ["respiration_rate", "Respiration"], ["temperature", "Temperature"],
];

const REASONS = {
  lead_off: "lead off", probe_off: "probe off", placeholder: "not measured", stale: "no new value", out_of_range: "out of range", not_sent: "not sent",
  learning: "still listening", noisy: "ECG too noisy", no_beats: "no beats found", samples_lost: "ECG samples lost", too_slow: "ECG sampled too slowly",
};

function combined(name) {
  if (name !== "blood_pressure") return vitals.get(name);
  const high = vitals.get("blood_pressure_systolic"), low = vitals.get("blood_pressure_diastolic");
  if (!high || !low) return high || low;
  const older = high.at < low.at ? high : low;
  const both = high.value !== null && low.value !== null;
  return { ...older, value: both ? `${Math.round(high.value)}/${Math.round(low.value)}` : null, reason: high.reason || low.reason };
}

export function tellVitals(gone) {
  for (const [name, title] of SHOWN) {
    const vital = combined(name);
    let card = $("vital-" + name);
    if (!vital && !card && (name === "respiration_rate" || name === "temperature")) continue;
    if (!card) {
      card = make("div", null, "vital");
      card.id = "vital-" + name;
      card.innerHTML = '<b></b><div class="number"><span></span><i></i></div><p class="age"></p>';
      set(card.firstChild, title);
      $("vitals").append(card);
    }
    const [number, unit] = card.querySelectorAll("span, i"), age = card.querySelector(".age");
    const ms = vital ? now() - vital.at : Infinity, old = gone || ms > (vital?.derived ? COMPUTED_STALE_MS : STALE_MS);
    card.classList.toggle("old", old);
    card.classList.toggle("unknown", !vital);
    set(number, vital?.value == null ? "–" : typeof vital.value === "number" ? String(+vital.value.toFixed(name === "temperature" ? 1 : 0)) : vital.value);
    set(unit, vital?.value == null ? "" : vital.unit);
    set(age, !vital ? "none received" : (vital.reason ? (REASONS[vital.reason] ?? vital.reason) + ", " : "") +
      (gone ? "before the silence" : ago(ms)) + (vital.derived ? ", computed" : ""));
  }
}
