// The last hour: what of it was recorded.

import { $, css, label, make, set } from "./elements.js";
import { clock, percent } from "./figures.js";
import { PARTS } from "./parts.js";
import { surface } from "./pen.js";

export async function hour() {
  if (!document.hidden) try {
    const reply = await fetch("completeness?minutes=60");
    if (reply.ok) drawHour(await reply.json());
  } catch { /* the band says that the box cannot be reached */ }
  setTimeout(hour, 10000);
}

function drawHour(reply) {
  const strip = $("strip");
  for (const stream of reply.streams) {
    const title = PARTS[stream.name] ?? stream.name;
    let row = $("strip-" + stream.name);
    if (!row) {
      row = make("div", null, "row");
      row.id = "strip-" + stream.name;
      row.append(make("b", title), make("canvas"), make("span", "", "share"));
      row.children[1].setAttribute("role", "img");
      strip.append(row);
    }
    const share = stream.overall, text = share === null ? "–" : percent(share);
    set(row.lastChild, text);
    label(row.children[1], `${title}: ${share === null ? "nothing recorded" : text + " recorded"}; ${stream.gaps} gaps`);
    bars(row.children[1], stream.share);
  }
  let ticks = $("ticks");
  if (!ticks) { ticks = make("div", null, "row ticks"); ticks.id = "ticks"; ticks.append(make("span"), make("div"), make("span")); }
  strip.append(ticks);
  ticks.children[1].replaceChildren(...[0, .25, .5, .75, 1].map((part) => make("span", clock(reply.utc[part * (reply.utc.length - 1)], false))));
}

function bars(canvas, share) {
  const [pen, width, height] = surface(canvas), each = width / share.length;
  share.forEach((part, i) => {
    pen.fillStyle = part === null ? css("gap") : part >= 0.98 ? css("cell") : part > 0 ? css("part") : css("none");
    const tall = part === null || part >= 0.98 || part === 0 ? height : Math.max(3, height * part);
    if (part !== null && tall < height) { pen.save(); pen.globalAlpha = .35; pen.fillRect(i * each, 0, Math.ceil(each) - .5, height); pen.restore(); }
    pen.fillRect(i * each, height - tall, Math.max(1, each - 1), tall);
  });
}
