// The page for who has not logged in, or is the first.

import { $ } from "./elements.js";

let first = false;

fetch("me").then((reply) => reply.json()).catch(() => ({ error: "the box cannot be reached" })).then((me) => {
  if (me.error) return void (document.querySelector("output").textContent = `Nobody can log in now: ${me.error}. Load this page again once that is mended.`);
  if (me.open || me.name) return location.replace("./");
  first = me.first_use;
  if (!first) return;
  $("lead").textContent = "This box has no account yet. Type the code that it showed on its console when the page started, and choose a name and a pass phrase of 15 characters or more. The first account is an admin.";
  $("code-row").hidden = false;
  $("code").required = true;
  $("passphrase").autocomplete = "new-password";
  document.querySelector("button").textContent = "Make the account";
});

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const out = document.querySelector("output"), body = { name: $("name").value.trim(), passphrase: $("passphrase").value };
  if (first) body.code = $("code").value;
  out.textContent = "One moment …";
  try {
    const reply = await fetch(first ? "first-use" : "login", { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
    const answer = await reply.json();
    if (reply.ok) return location.replace("./");
    out.textContent = answer.error + ".";
  } catch { out.textContent = "The box cannot be reached."; }
});
