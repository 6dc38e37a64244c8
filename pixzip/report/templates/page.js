"use strict";

// What a cell is sorted by; what has no value stays at the end, whichever way round.
function value(cell) {
  const text = cell.classList.contains("none") ? "" : cell.dataset.value ?? cell.textContent;
  return text === "" ? null : isNaN(text) ? text : Number(text);
}

function sort(table) {
  const head = table.tHead.querySelector("[aria-sort]");
  const sign = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map(row => [value(row.cells[head.cellIndex]), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

// A click on a heading sorts, the next one turns round.
for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table");
    const turned = { ascending: "descending", descending: "ascending" }[head.getAttribute("aria-sort")];
    table.tHead.querySelector("[aria-sort]")?.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", turned ?? head.dataset.first);
    sort(table);
  });
}

// The table of images: what its cells show, and which rows.
const figures = JSON.parse(document.getElementById("figures").textContent);
const images = document.getElementById("images");
const formats = [
  x => x.toFixed(3),
  x => x.toLocaleString("en"),
  ...Array(2).fill(x => x >= 100 ? Math.round(x).toLocaleString("en") : x.toPrecision(3)),
];

document.getElementById("metric").addEventListener("change", event => {
  const metric = Number(event.target.value);
  for (const row of images.tBodies[0].rows) {
    const found = figures[row.dataset.row];
    const values = found.filter(four => four).map(four => four[metric]);
    const best = metric < 2 ? Math.min(...values) : Math.max(...values);
    found.forEach((four, i) => {
      const cell = row.cells[1 + i];
      if (!four) return;
      cell.dataset.value = four[metric];
      cell.textContent = formats[metric](four[metric]);
      cell.classList.toggle("best", four[metric] === best);
    });
  }
  if (images.tHead.querySelector("[aria-sort]")) sort(images);
});

document.getElementById("filter").addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  let shown = 0;
  for (const row of images.tBodies[0].rows) {
    row.hidden = !row.cells[0].dataset.value.toLowerCase().includes(wanted);
    shown += !row.hidden;
  }
  document.getElementById("shown").textContent = wanted ? `${shown} of ${figures.length}` : "";
});
