// What a page can do besides links and forms: stay true by itself, show times as the reader has them, ask before it
// spends, copy, and be used from the keyboard. Every page works for reading without it.
"use strict";

// --- live: the server says that there is news; each live part asks for itself again
let stream = null;
function listen() {
  if (document.hidden || stream || !document.querySelector(".live")) return;
  stream = new EventSource("/live");
  stream.addEventListener("news", () => document.body.dispatchEvent(new CustomEvent("news")));
}
function stopListening() {
  if (stream) stream.close();
  stream = null;
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return stopListening();
  listen();
  document.body.dispatchEvent(new CustomEvent("news"));
});
window.addEventListener("pagehide", stopListening);

const looked = {}; // when a part that may not look at every news did so last
let later = 0;
// a part in which somebody types, has ticked something or watches a video is left alone
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (!part.classList || !part.classList.contains("live")) return;
  const typing = part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  const watching = [...part.querySelectorAll("video")].some((video) => !video.paused);
  const begun = [...part.querySelectorAll("textarea, input[type=text]")].some((field) => field.value !== field.defaultValue);
  if (typing || begun || watching || part.querySelector("input:checked[type=checkbox]")) return event.preventDefault();
  const wait = (looked[part.id] || 0) + (part.dataset.every || 0) * 1000 - Date.now();
  if (wait <= 0) return (looked[part.id] = Date.now());
  event.preventDefault();
  clearTimeout(later);
  later = setTimeout(() => document.body.dispatchEvent(new CustomEvent("news")), wait);
});
if (window.Idiomorph) {
  // what somebody has typed and not sent is theirs
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.tagName === "TEXTAREA" && old.value !== old.defaultValue);
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
}

// --- times, as the reader's own clock has them
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const span = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
function tellTimes(root) {
  for (const node of root.querySelectorAll("time[datetime]")) {
    const at = new Date(node.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
    const near = Math.abs(seconds) < 7 * 86400;
    node.textContent = near ? span.format(Math.round(seconds / size), unit) : whole.format(at);
    node.title = whole.format(at);
  }
}
document.addEventListener("htmx:afterSettle", (event) => tellTimes(event.target.parentNode || document));
setInterval(() => document.hidden || tellTimes(document), 30000);

// --- forms: a question first where it costs or ends something; one click is one click
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sure && !window.confirm(form.dataset.sure)) return event.preventDefault();
  if (form.method !== "post" || event.defaultPrevented) return;
  setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
});
window.addEventListener("pageshow", () => document.querySelectorAll("button:disabled").forEach((b) => (b.disabled = false)));

// --- a file dropped anywhere on a page that wants one
const wanting = document.querySelector("form[data-drop]");
if (wanting) {
  const input = wanting.querySelector("input[type=file]");
  const carriesFile = (event) => [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    wanting.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || wanting.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    wanting.classList.remove("over");
    input.files = event.dataTransfer.files;
    wanting.requestSubmit();
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: copy it";
  }
});

// --- keyboard
let going = false;
function lines() {
  return [...document.querySelectorAll("#main .list tbody th a, #main .lines > li > a:first-of-type")];
}
function move(by) {
  const all = lines();
  if (!all.length) return;
  const now = all.indexOf(document.activeElement);
  all[Math.min(all.length - 1, Math.max(0, now < 0 ? 0 : now + by))].focus();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select, [contenteditable]")) return;
  const dialog = document.getElementById("keys");
  if (going) {
    going = false;
    const link = [...document.querySelectorAll(".side nav a")].find((one) => one.dataset.key === event.key);
    if (link) link.click();
    return;
  }
  if (event.key === "g") going = true;
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "/" && document.getElementById("q")) document.getElementById("menu").open = true, document.getElementById("q").focus(), event.preventDefault();
  else if (event.key === "?" && dialog) dialog.showModal();
});

const narrow = window.matchMedia("(max-width: 50rem)");
function arrange() {
  const menu = document.getElementById("menu");
  if (menu) menu.open = !narrow.matches;
}
narrow.addEventListener("change", arrange);
arrange();
tellTimes(document);
listen();
