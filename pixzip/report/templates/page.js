"use strict";

// A click on a heading sorts, the next one turns round; what has no value stays at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].dataset.value ?? (row.cells[column].classList.contains("none") ? "" : row.cells[column].textContent);
    return text === "" ? null : isNaN(text) ? text : Number(text);
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const next = now === null ? head.dataset.first : now === "ascending" ? "descending" : "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows].map(row => [value(row, column), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        if (typeof a === "number" && typeof b === "number") return sign * (a - b);
        return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
      });
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
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
