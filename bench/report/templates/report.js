"use strict";
(() => {
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  const table = document.getElementById("verdicts");
  if (!table) return;
  const form = document.getElementById("filter"), body = table.tBodies[0];
  const rows = [...body.rows], texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()])), heads = [...table.tHead.rows[0].cells];
  const order = [...form.elements.verdict.options].map((option) => option.text);
  const state = new URLSearchParams(location.search);

  const key = (row, i) => {
    const cell = row.cells[i];
    if (i === 0) return order.indexOf(cell.textContent);
    if ("k" in cell.dataset) return cell.dataset.k === "" ? -Infinity : Math.abs(Math.log(+cell.dataset.k));
    return cell.textContent;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  const show = () => {
    const by = +state.get("sort"), down = state.get("order") === "down";
    const sorted = state.has("sort") && heads[by]
      ? rows.map((r) => [key(r, by), r]).sort((a, b) => compare(a[0], b[0]) * (down ? -1 : 1)).map((p) => p[1]) : rows;
    body.append(...sorted);
    heads.forEach((th, i) => {
      if (state.has("sort") && i === by) th.setAttribute("aria-sort", down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    const words = (state.get("q") || "").toLowerCase().split(/\s+/);
    let seen = 0;
    for (const row of rows) {
      const fits = (!state.get("suite") || row.dataset.s === state.get("suite"))
        && (!state.get("verdict") || row.cells[0].textContent === state.get("verdict"))
        && words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      seen += fits;
    }
    form.querySelector("output").textContent = seen + " of " + rows.length;
  };

  const change = (name, value) => {
    if (value) state.set(name, value); else state.delete(name);
    const query = state.toString();
    history.replaceState(null, "", location.pathname + (query ? "?" + query : "") + location.hash);
    show();
  };

  heads.forEach((th, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...th.childNodes);
    button.addEventListener("click", () => {
      const again = state.get("sort") === String(i);
      change("order", again && state.get("order") !== "down" ? "down" : "");
      change("sort", String(i));
    });
    th.append(button);
  });
  for (const field of form.elements) {
    if (!field.name) continue;
    field.value = state.get(field.name) || "";
    field.addEventListener("input", () => change(field.name, field.value));
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
})();
