"use strict";
(() => {
  const tip = document.getElementById("tip");
  let lit = null;

  function show(point, x, y) {
    if (lit !== point) {
      if (lit) lit.classList.remove("on");
      lit = point;
      lit.classList.add("on");
      tip.textContent = point.dataset.tip;
      tip.hidden = false;
    }
    const left = x + 14 + tip.offsetWidth > innerWidth ? x - 14 - tip.offsetWidth : x + 14;
    const top = y + 14 + tip.offsetHeight > innerHeight ? y - 14 - tip.offsetHeight : y + 14;
    tip.style.left = `${Math.max(6, left)}px`;
    tip.style.top = `${Math.max(6, top)}px`;
  }

  function hide() {
    if (lit) lit.classList.remove("on");
    lit = null;
    tip.hidden = true;
  }

  function middle(point) {
    const box = point.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  }

  // The point nearest to the mouse answers; a bar answers where it is.
  function nearest(points, x, y) {
    let best = null;
    let least = 24 * 24;
    for (const point of points) {
      if (point.tagName === "rect") {
        const box = point.getBoundingClientRect();
        if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) return point;
        continue;
      }
      const [px, py] = middle(point);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [point, distance];
    }
    return best;
  }

  for (const chart of document.querySelectorAll("svg.hover")) {
    const points = [...chart.querySelectorAll(".pt")];
    let frame = 0;
    let at = -1;
    chart.addEventListener("pointermove", (event) => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        const point = nearest(points, event.clientX, event.clientY);
        if (point) show(point, event.clientX, event.clientY);
        else hide();
      });
    });
    chart.addEventListener("pointerleave", () => { cancelAnimationFrame(frame); hide(); });
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step || !points.length) return;
      event.preventDefault();
      at = at < 0 && step < 0 ? points.length - 1 : (at + step + points.length) % points.length;
      show(points[at], ...middle(points[at]));
    });
  }
  addEventListener("scroll", hide, { passive: true });

  function value(cell) {
    const text = cell.textContent.trim();
    const number = { never: Infinity, "takes the rest": Infinity, always: -Infinity }[text] ?? parseFloat(text);
    return Number.isNaN(number) ? null : number;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a - b;
    return a.localeCompare(b);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      const numbers = head.classList.contains("n");
      const keyed = [...table.tBodies[0].rows].map((row) => {
        const cell = row.cells[column];
        return [numbers ? value(cell) : cell.textContent, row];
      });
      // What has no value stays at the end, whichever way.
      const empty = keyed.filter(([key]) => key === null);
      const filled = keyed.filter(([key]) => key !== null);
      filled.sort(([a], [b]) => (falling ? -1 : 1) * compare(a, b));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      table.tBodies[0].append(...[...filled, ...empty].map(([, row]) => row));
    }));
  }
})();
