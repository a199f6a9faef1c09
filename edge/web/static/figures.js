// Numbers as people say them.

export function ago(ms) {
  return (ms < 9950 ? (Math.max(ms, 0) / 1000).toFixed(1) + " s" : span(ms)) + " ago";
}

export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return s + " s";
  if (s < 7200) return Math.round(s / 60) + " min";
  if (s < 172800) return (s / 3600).toFixed(s < 36000 ? 1 : 0) + " h";
  return Math.round(s / 86400) + " days";
}

export function brief(ms) {
  return ms < 9950 ? (Math.max(ms, 100) / 1000).toFixed(1) + " s" : span(ms);
}

export function many(n) {
  if (n == null) return "–";
  if (n >= 1e7) return (n / 1e6).toFixed(1) + " M";
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function few(n) { // for a column of a table
  if (n < 1e4) return many(n);
  if (n < 1e6) return Math.floor(n / 1e3) + " k";
  const [one, unit] = n < 1e9 ? [1e6, " M"] : [1e9, " G"];
  return (n < 100 * one ? (n / one).toFixed(1) : Math.floor(n / one)) + unit;
}

export const percent = (share) => (share >= 0.9995 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1)) + " %";

export function clock(utc, seconds = true) {
  return new Date(utc).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}
