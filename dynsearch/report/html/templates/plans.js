// Plans side by side, studies side by side, and the frontiers of families.
function sideBySide(host, caption, heads, rows, csv) {
  const marked = rows.filter(([, ...values]) => values.some((value) => shownText(value) !== ""))
    .map(([name, ...values]) => ({ differs: new Set(values.map(shownText)).size > 1, cells: [name, ...values] }));
  table(host, caption, ["", ...heads.map((name) => name), "differs"].map((name, column) => (column ? name : "of each")),
    marked.map(({ differs, cells }) => ({ cells: [...cells, differs ? "\u2260" : ""], class: differs ? "differs" : null })), { open: true, csv });
}

function drawComparison() {
  const chosen = current().plan;
  state.compared ??= new Set([chosen, ...data.plans.keys()].slice(0, 3));
  const compared = [...state.compared].sort((a, b) => a - b);
  const best = compared.map((place) => {
    const own = points.filter((point) => point.plan === place);
    const found = bestUnder(own, state.budget);
    return found < 0 ? null : own[found];
  });
  const of = (read) => compared.map((place, i) => read(data.plans[place], best[i]));
  const point = (read) => of((_, found) => (found ? read(found) : ""));
  const promised = data.oneShot?.promised ?? {};
  sideBySide(byId("side-by-side"), `Plans side by side, each at its best point of the frontier under ${cost(state.budget)}`,
    of((plan) => planName(plan)),
    [
      ["top-1 on test", ...point((found) => share(found.top1))],
      ["95% interval", ...point((found) => `${(100 * found.low).toFixed(1)} to ${(100 * found.high).toFixed(1)}`)],
      [`${unit} on test`, ...point((found) => price(found.cost))],
      ["videos stopping", ...point((found) => found.share.map((part) => percent(part, 0)).join(" "))],
      ["thresholds", ...point((found) => found.thresholds.join(" "))],
      ["points of the frontier", ...of((plan) => points.filter((found) => data.plans[found.plan] === plan).length)],
      ["top-1 at its last exit", ...of((plan) => share(plan.exits[plan.exits.length - 1].top1))],
      [`${unit} at its last exit`, ...of((plan) => price(plan.exits[plan.exits.length - 1].cost))],
      ["promised by the one-shot network", ...of((plan) => share(promised[plan.trial]))],
      ["family", ...of((plan) => plan.family)],
      ...Object.keys(data.plans[0].fields).map((name) => [name, ...of((plan) => plan.fields[name])]),
      ["plan", ...of((plan) => plan.id)],
    ], "plans");
  fill("grids", compared.map((place, i) => tag("figure", {}, tag("h4", {}, planName(data.plans[place])),
    grid(data.plans[place], best[i]?.share ?? data.plans[place].exits.map(() => NaN)))));
  drawStudies();
}

function drawStudies() {
  byId("studies").hidden = !data.others.length;
  if (!data.others.length) return;
  const all = [{ name: data.name, dataset: data.dataset, points, full: data.full, remark: "" }, ...data.others];
  const best = all.map((study) => { const place = bestUnder(study.points, state.budget); return place < 0 ? null : study.points[place]; });
  const of = (read) => all.map((study, i) => (best[i] ? read(best[i]) : "nothing costs so little"));
  fill("remarks", data.others.filter((other) => other.remark).map((other) => tag("p", { class: "warn" }, `${other.name} was ${other.remark}.`)));
  sideBySide(byId("studies-table"), `Studies side by side, each at its best point under ${cost(state.budget)}`, all.map((study) => study.name), [
    ["top-1 on test", ...of((found) => share(found.top1))],
    ["95% interval", ...of((found) => `${(100 * found.low).toFixed(1)} to ${(100 * found.high).toFixed(1)}`)],
    [`${unit} on test`, ...of((found) => price(found.cost))],
    ["top-1 of full inference", ...all.map((study) => share(study.full.top1))],
    [`${unit} of full inference`, ...all.map((study) => price(study.full.cost))],
    ["data set", ...all.map((study) => study.dataset)],
    ["trial", ...of((found) => found.trial)],
    ["plan", ...of((found) => found.text ?? data.plans[found.plan].text)],
    ["thresholds", ...of((found) => found.thresholds.join(" "))],
  ], "studies");
  table(byId("studies-points"), "Points of all studies", ["study", `#${unit}`, "#top-1", "#from", "#to", "#trial", "thresholds"],
    all.flatMap((study) => study.points.map((found) => [study.name, price(found.cost), share(found.top1), share(found.low), share(found.high), found.trial, found.thresholds.join(" ")])), { csv: "all-studies" });
}

function startPlans() {
  state.compared = new Set([...new Set([current().plan, ...data.plans.keys()])].slice(0, 3));
  fill("compare", data.plans.map((plan, place) => {
    const box = tag("input", { type: "checkbox", checked: state.compared.has(place), onchange: () => {
      if (box.checked) state.compared.add(place); else state.compared.delete(place);
      if (!state.compared.size) { state.compared.add(place); box.checked = true; }
      drawComparison();
    } });
    return tag("label", {}, box, `trial ${plan.trial}`);
  }));
  const names = Object.keys(data.families);
  byId("families").hidden = !names.length;
  if (!names.length) return;
  const every = names.flatMap((name) => data.families[name]);
  draws.push(() => chart(byId("families-chart"), {
    title: "Frontier of each family", height: 360,
    text: names.map((name) => { const top = data.families[name].reduce((a, b) => (b.top1 > a.top1 ? b : a)); return `${name} up to ${percent(top.top1)} at ${cost(top.cost)}`; }).join(", "),
    x: { range: padded(every.map((point) => point.cost)), label: data.measure.axis }, y: { range: padded(every.map((point) => 100 * point.top1)), label: "top-1 on test (%)" },
    items: names.flatMap((name, place) => {
      const sorted = [...data.families[name]].sort((a, b) => a.cost - b.cost);
      return [{ kind: "line", class: `own this ${colour(place)}`, points: sorted.map((point) => [point.cost, 100 * point.top1]) },
        ...sorted.map((point) => ({ kind: "dot", class: `dot ${colour(place)}`, shape: shapeOf(place), x: point.cost, y: 100 * point.top1, tip: `${name}\n${pointTip(point)}` }))];
    }),
  }));
  fill("families-legend", names.map((name, place) => key(name, colour(place), shapeOf(place))));
  table(byId("families-table"), "Operating points of each family alone, likewise", ["family", ...frontierColumns().filter((name) => !(name.replace("#", "") in points[0].more))],
    names.flatMap((name) => data.families[name].map((point) => [name, ...frontierRow({ ...point, more: {} })])), { csv: "families" });
}
