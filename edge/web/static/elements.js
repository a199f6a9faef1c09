// What the page is made of: its elements by their ids, and the colours of its style.

const styles = getComputedStyle(document.documentElement);

export const $ = (id) => document.getElementById(id);
export const on = (id, event, act) => $(id).addEventListener(event, act);
export const css = (name) => styles.getPropertyValue("--" + name).trim();
export const mood = (name, is) => document.body.classList.toggle(name, is);

export function label(node, text) { node.setAttribute("aria-label", text); }

export function set(node, text) { if (node.textContent !== text) node.textContent = text; }

export function make(tag, text, name) {
  const node = document.createElement(tag);
  if (text != null) node.textContent = text;
  if (name) node.className = name;
  return node;
}
