// Drags a shot to another place: what its ↑ and ↓ do, in one go. The server draws the board; this only says the order.

let dragged = null;

function orderNow() {
  return [...document.querySelectorAll("#shots > [data-shot]")].map((shot) => shot.dataset.shot).join(",");
}

function boardPath() {
  return location.pathname.replace(/\/(link|compose)$/, "");
}

document.addEventListener("dragstart", (event) => {
  const grip = event.target.closest && event.target.closest(".grip");
  if (!grip) return;
  dragged = grip.closest("[data-shot]");
  dragged.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.name);
  event.dataTransfer.setDragImage(dragged, 20, 20);
});

document.addEventListener("dragover", (event) => {
  const over = dragged && event.target.closest("#shots > [data-shot]");
  if (!dragged) return;
  event.preventDefault();
  if (!over || over === dragged) return;
  const box = over.getBoundingClientRect();
  const after = Math.abs(event.clientY - box.top - box.height / 2) > box.height / 2.5
    ? event.clientY > box.top + box.height / 2
    : event.clientX > box.left + box.width / 2;
  over.parentNode.insertBefore(dragged, after ? over.nextSibling : over);
});

document.addEventListener("drop", (event) => dragged && event.preventDefault());

document.addEventListener("dragend", () => {
  if (!dragged) return;
  dragged.classList.remove("dragged");
  dragged = null;
  const path = `${boardPath()}?order=${orderNow()}`;
  history.replaceState(null, "", path);
  htmx.ajax("GET", path, { source: "#shots", target: "#board", select: "#board", swap: "morph:outerHTML" });
});
