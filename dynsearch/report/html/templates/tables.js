// Tables: sorted by a click on a heading, saved as CSV, filled when they are opened.
// columns: names; those that begin with # stand above numbers. rows: cells, texts or {value, text}.
const shownText = (item) => (item && typeof item === "object" ? item.text : String(item ?? ""));
const sortKey = (item) => (item && typeof item === "object" ? item.value : item);

function table(host, caption, columns, rows, { open = false, few = null, csv = caption } = {}) {
  if (!rows.length) { host.replaceChildren(); return; }
  const before = host.querySelector("details");
  const wasOpen = before ? before.open : open;
  const all = host.dataset.all === "yes" || !few;
  const body = tag("tbody");
  const entries = rows.map((row, place) => ({ row, place }));
  const draw = () => {
    body.replaceChildren(...entries.filter(({ place }) => all || few.has(place)).map(({ row }) => tag("tr", { class: row.class ?? null },
      (row.cells ?? row).map((item, column) => tag("td", { class: columns[column].startsWith("#") ? "n" : null }, row.pick && column === 0
        ? tag("button", { type: "button", class: "link", onclick: row.pick }, shownText(item)) : shownText(item))))));
  };
  const heads = columns.map((name, column) => {
    const head = tag("th", { scope: "col", class: name.startsWith("#") ? "n" : null });
    head.append(tag("button", { type: "button", onclick: () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      const sign = falling ? -1 : 1;
      const keyOf = ({ row }) => sortKey((row.cells ?? row)[column]);
      const number = (value) => { const found = { never: Infinity, always: -Infinity }[value] ?? parseFloat(value); return Number.isNaN(found) ? null : found; };
      const of = name.startsWith("#") ? (entry) => number(keyOf(entry)) : (entry) => String(keyOf(entry) ?? "");
      // What has no value stays at the end, whichever way.
      entries.sort((a, b) => {
        const [one, other] = [of(a), of(b)];
        if (one === null || other === null) return (one === null) - (other === null);
        return sign * (typeof one === "number" ? (one === other ? 0 : one - other) : one.localeCompare(other));
      });
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      draw();
    } }, name.replace(/^#/, "") || "note"));
    return head;
  });
  const tools = tag("p", { class: "tools" },
    tag("button", { type: "button", onclick: () => save(`${data.name}-${csv}`, columns, rows) }, "Save as CSV"),
    few && few.size < rows.length ? tag("button", { type: "button", onclick: () => {
      host.dataset.all = all ? "" : "yes";
      table(host, caption, columns, rows, { open, few, csv });
    } }, all ? `Show ${few.size} of ${rows.length}` : `Show all ${rows.length}`) : null);
  const inside = tag("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    tag("table", {}, tag("thead", {}, tag("tr", {}, heads)), body));
  const shown = all ? rows.length : few.size;
  const details = tag("details", { open: wasOpen }, tag("summary", {}, caption, " ",
    tag("span", { class: "count" }, `(${shown === rows.length ? many(rows.length, "row") : `${shown} of ${rows.length} rows`})`)), inside, tools);
  if (wasOpen) draw();
  details.addEventListener("toggle", () => { if (details.open && !body.rows.length) draw(); });
  host.replaceChildren(details);
}

function save(name, columns, rows) {
  const quoted = (value) => {
    // A text that a spreadsheet would take for a formula is marked as a text.
    const text = typeof value === "string" ? value.replace(/^(?=[=+\-@\t\r])/, "'") : String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map((column) => quoted(column.replace(/^#/, "") || "note")), ...rows.map((row) => (row.cells ?? row).map((item) => quoted(sortKey(item))))];
  const address = URL.createObjectURL(new Blob([`${lines.map((line) => line.join(",")).join("\n")}\n`], { type: "text/csv" }));
  const file = `${name.replace(/[^A-Za-z0-9._-]+/g, "-").toLowerCase()}.csv`;
  tag("a", { href: address, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function copy(text, button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = tag("textarea", { class: "away" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = said; }, 1500);
}
