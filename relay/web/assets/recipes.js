// The editor: colours, line numbers and marks beside a plain textarea, which stays what is edited and sent.

const text = document.getElementById("text");
const pieces = /(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})|((?:^|\s)#.*$)|("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(^\s*(?:- )?[\w.$-]+(?=\s*:(?:\s|$)))|((?:[{,]\s*)[\w.$-]+(?=:\s))|(\b(?:true|false|null|-?\d+(?:\.\d+)?)\b)/gm;
const kinds = ["jinja", "comment", "string", "key", "key", "word"];

function span(kind, content) {
  const node = document.createElement("span");
  node.className = `hl-${kind}`;
  node.textContent = content;
  return node;
}

// a string may hold templates, which keep their own colour
function coloured(kind, piece) {
  if (kind !== "string") return [span(kind, piece)];
  return piece.split(/(\{\{.*?\}\}|\{%.*?%\})/).filter(Boolean).map((part) => span(/^\{[{%]/.test(part) ? "jinja" : "string", part));
}

function painted(line) {
  const nodes = [];
  let at = 0;
  for (const match of line.matchAll(pieces)) {
    if (match.index > at) nodes.push(line.slice(at, match.index));
    nodes.push(...coloured(kinds[match.slice(1).findIndex((group) => group !== undefined)], match[0]));
    at = match.index + match[0].length;
  }
  nodes.push(line.slice(at));
  return nodes;
}

function paint() {
  const wrong = new Set([...document.querySelectorAll("#trial li[data-line]")].map((one) => Number(one.dataset.line)));
  const lines = text.value.split("\n").map((line, index) => {
    const row = document.createElement("span");
    row.className = wrong.has(index + 1) ? "hl-line wrong" : "hl-line";
    row.append(...painted(line), "\n");
    return row;
  });
  back.replaceChildren(...lines);
  follow();
}

function follow() {
  back.scrollTop = text.scrollTop;
  back.scrollLeft = text.scrollLeft;
}

const back = document.createElement("pre");
if (text) {
  back.className = "hl";
  back.setAttribute("aria-hidden", "true");
  text.before(back);
  text.parentNode.classList.add("painted");
  text.addEventListener("input", paint);
  text.addEventListener("scroll", follow);
  document.addEventListener("htmx:afterSettle", paint);
  paint();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-line]");
  if (!link || !text) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const line = Math.min(Number(link.dataset.line), lines.length);
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[line - 1].length);
  text.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(text).lineHeight));
});

// what was written and not saved is asked about before it is left
let leaving = false;
document.addEventListener("submit", () => (leaving = true));
window.addEventListener("beforeunload", (event) => {
  if (text && !leaving && text.value !== text.defaultValue) event.preventDefault();
});
