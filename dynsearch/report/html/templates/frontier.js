// The frontier, and the budget by which a point of it is chosen.
const state = { budget: data.budget, place: 0, view: null, log: false, published: false, compared: null };
const points = data.points;
const current = () => points[state.place];

function pointTip(point) {
  const plan = data.plans[point.plan];
  return `top-1 ${percent(point.top1)} (${(100 * point.low).toFixed(1)} to ${(100 * point.high).toFixed(1)}) at ${cost(point.cost)}\n`
    + `trial ${point.trial}: ${plan?.text ?? point.text ?? ""}\nthresholds ${point.thresholds.join(" ")}\n`
    + `stopping ${point.share.map((part) => percent(part, 0)).join(" ")}`;
}

// Where points differ in value: from what loses ten points (or four half intervals) against the best, to full inference.
function accurateEnd() {
  const best = points.reduce((one, other) => (other.top1 > one.top1 ? other : one));
  const worth = best.top1 - Math.max(0.1, 2 * (best.high - best.low));
  const costs = points.filter((point) => point.top1 >= worth || point === current()).map((point) => point.cost);
  return [Math.min(...costs) * 0.97, Math.max(...costs, data.full.cost) * 1.03];
}

function everything() {
  const costs = [...points, ...data.others.flatMap((other) => other.points), data.full, ...(state.published ? data.references : [])].map((point) => point.cost);
  return [Math.min(...costs) * 0.95, Math.max(...costs) * 1.05];
}

// Of points within each other's intervals and hardly apart, the dearest is drawn.
function thinned(list, view, log, width, always) {
  const bend = log ? Math.log : (value) => value;
  const pixel = (value) => ((bend(value) - bend(view[0])) / (bend(view[1]) - bend(view[0]))) * width;
  const kept = [];
  for (const point of [...list].sort((a, b) => b.cost - a.cost)) {
    const last = kept[kept.length - 1];
    const apart = last ? pixel(last.cost) - pixel(point.cost) : Infinity;
    const alike = last && point.top1 >= last.low && point.top1 <= last.high && last.top1 >= point.low && last.top1 <= point.high;
    if (!(alike && apart < (point.plan === last.plan ? 14 : 6)) || point === always) kept.push(point);
  }
  return kept;
}

// The same points as the terminal shows: the denser the nearer to the most accurate.
function spread(count) {
  const worth = points.map((point) => point.calibration[2] ?? point.calibration[1]);
  const lost = worth.map((value) => Math.log(worth[worth.length - 1] - value + 0.01));
  const chosen = new Set([state.place]);
  for (let i = 0; i < count; i += 1) {
    const target = lost[0] + ((lost[lost.length - 1] - lost[0]) * i) / Math.max(1, count - 1);
    chosen.add(lost.reduce((best, value, place) => (Math.abs(value - target) < Math.abs(lost[best] - target) ? place : best), 0));
  }
  return chosen;
}

function drawFrontier() {
  const host = byId("frontier-chart");
  const view = state.view ?? accurateEnd();
  const inside = (point) => point.cost >= view[0] && point.cost <= view[1];
  const shown = points.filter(inside);
  const others = data.others.map((other) => other.points.filter(inside));
  const references = state.published ? data.references.filter(inside) : [];
  const maps = points.filter((point) => inside(point) && "mAP" in point.more).map((point) => [point.cost, 100 * point.more.mAP]).sort((a, b) => a[0] - b[0]);
  const heights = [...shown, ...others.flat()].flatMap((point) => [100 * point.low, 100 * point.high]);
  if (inside(data.full)) heights.push(100 * data.full.top1);
  heights.push(...references.map((point) => 100 * point.top1 / 100), ...maps.map(([, value]) => value));
  const y = padded(heights.length ? heights : [0, 100], 0.04);
  const sorted = [...points].sort((a, b) => a.cost - b.cost);
  const drawn = thinned(shown, view, state.log, widthOf(host) - LEFT - RIGHT, current());
  const curves = data.plans.map((plan, place) => ({
    kind: "line", class: `own ${colour(place)}${place === current().plan ? " this" : ""}`, points: plan.curve.map(([c, top1]) => [c, 100 * top1]),
  }));
  const chosen = current();
  const items = [
    { kind: "area", class: "band", points: [...sorted.map((p) => [p.cost, 100 * p.high]), ...sorted.reverse().map((p) => [p.cost, 100 * p.low])] },
    ...curves.filter((curve) => curve.points.length > 1),
    ...(maps.length ? [{ kind: "line", class: "map", points: maps }] : []),
    ...others.flatMap((part, number) => [
      { kind: "line", class: `study s${number % 4}`, points: [...part].sort((a, b) => a.cost - b.cost).map((p) => [p.cost, 100 * p.top1]) },
      ...thinned(part, view, state.log, widthOf(host), null).map((p) => ({ kind: "dot", class: `study s${number % 4}`, shape: "square", radius: 3.5,
        x: p.cost, y: 100 * p.top1, tip: `${data.others[number].name}\n${pointTip(p)}` })),
    ]),
    ...[...new Set(references.map((reference) => reference.system))].map((system) => ({ kind: "line", class: "other",
      points: references.filter((reference) => reference.system === system).map((reference) => [reference.cost, reference.top1]) })),
    ...references.map((reference) => ({ kind: "dot", class: "other", x: reference.cost, y: reference.top1,
      tip: `${reference.name}: ${reference.top1}% at ${cost(reference.cost)}\n${reference.source}\n${reference.conditions}` })),
    ...drawn.map((point) => ({ kind: "dot", class: `dot ${colour(point.plan)}`, shape: shapeOf(point.plan), radius: 4.5, x: point.cost, y: 100 * point.top1,
      tip: pointTip(point), pick: () => pick(points.indexOf(point)) })),
    { kind: "dot", class: "full", shape: "cross", radius: 6, x: data.full.cost, y: 100 * data.full.top1,
      tip: `full inference: every video to the last exit of trial ${data.full.trial}\ntop-1 ${percent(data.full.top1)} at ${cost(data.full.cost)}` },
    ...(state.budget >= view[0] && state.budget <= view[1] ? [{ kind: "rule", x: state.budget, text: `budget ${figure(state.budget)}` }] : []),
    { kind: "dot", class: "chosen", shape: "diamond", radius: 8, x: chosen.cost, y: 100 * chosen.top1 },
  ];
  const made = chart(host, {
    title: "Frontier on test",
    text: `${many(points.length, "operating point")} from ${cost(points[0].cost)} to ${cost(points[points.length - 1].cost)} per video. `
      + `The point chosen under ${figure(state.budget)} reaches ${percent(chosen.top1)} at ${figure(chosen.cost)}.`,
    x: { range: view, label: data.measure.axis, log: state.log }, y: { range: y, label: `top-1${maps.length ? " and mAP" : ""} on test (%)` },
    height: Math.round(Math.max(300, Math.min(520, widthOf(host) * 0.5))), items,
    keys: { "+": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => show(null) },
  });
  host.from = made.from;
  byId("drawn").textContent = drawn.length < points.length
    ? `${drawn.length} of ${points.length} points are drawn${shown.length < points.length ? `, ${shown.length} lie in this range` : ""}; those left out lie within the interval of their neighbour.`
    : "";
  const used = [...data.plans.keys()].filter((place) => points.some((p) => p.plan === place) || data.plans[place].curve.length > 1);
  fill("frontier-legend",
    used.map((place) => {
      const [{ trial, fields }, count] = [data.plans[place], points.filter((p) => p.plan === place).length];
      const shared = fields.weights.startsWith("the") ? ", shared weights" : "";
      return key(`trial ${trial}: ${fields.exits}${shared} (${count ? many(count, "point") : "no point"})`, colour(place), count ? shapeOf(place) : null);
    }),
    data.others.map((other, number) => key(`${other.name}: ${other.dataset}`, `study s${number % 4}`, "square")),
    key("95% interval", "band", "area"), key("chosen", "chosen", "diamond"), key("full inference", "full", "cross"),
    maps.length ? key("mAP of the same points", "map") : null, key("budget", "budget", "rule"),
    state.published ? key("published", "other", "circle") : null);
}

function show(view) {
  state.view = view;
  const [low, high] = view ?? accurateEnd();
  if (view === null) state.log = high / low > 4;
  byId("log").checked = state.log;
  drawFrontier();
  placeSlider();
}

function zoom(factor) {
  const [low, high] = state.view ?? accurateEnd();
  const [bend, back] = state.log ? [Math.log, Math.exp] : [Number, Number];
  const middle = current().cost > low && current().cost < high ? bend(current().cost) : (bend(low) + bend(high)) / 2;
  const [least, most] = everything();
  const view = [low, high].map((end) => back(middle + (bend(end) - middle) * factor));
  show([Math.max(least, view[0]), Math.min(most, view[1])]);
}

const sliderEnds = () => {
  const [low, high] = state.view ?? accurateEnd();
  return [Math.max(low, points[0].calibration[0]), Math.min(high, Math.max(points[points.length - 1].calibration[0], state.view ? 0 : data.budget))];
};
const sliderBudget = (value) => {
  const [low, high] = sliderEnds();
  return Number((low * (high / low) ** (value / 1000)).toPrecision(4));
};
function placeSlider() {
  const [low, high] = sliderEnds();
  const slider = byId("slider");
  slider.value = String(Math.round(1000 * Math.min(1, Math.max(0, Math.log(state.budget / low) / Math.log(high / low || 2)))));
  slider.setAttribute("aria-valuetext", `${cost(state.budget)}: top-1 ${percent(current().top1)}`);
}

function exportLine() {
  return `dynsearch export ${data.source} ${data.measure.option} ${state.budget} --output ${data.name}-${state.budget}`;
}

// Choose the best point under a budget; everything on the page follows.
function choose(budget, { from = null, address = true } = {}) {
  state.budget = budget;
  const place = bestUnder(points, budget);
  state.place = Math.max(place, 0);
  const point = current();
  if (from !== "field") byId("field").value = String(budget);
  byId("none").hidden = place >= 0;
  byId("none").textContent = place >= 0 ? "" : `No point costs so little; the cheapest takes ${cost(points[0].calibration[0])} on calibration and is shown.`;
  byId("export").textContent = place >= 0 ? exportLine() : "";
  byId("copy").disabled = place < 0;
  byId("said").textContent = `${percent(point.top1)} at ${cost(point.cost)}, trial ${point.trial}`;
  if (address) {
    try { history.replaceState(null, "", `#budget=${budget}`); } catch { /* An address that can't be changed: a sandboxed viewer. */ }
  }
  const full = data.full;
  const less = 1 - point.cost / full.cost;
  byId("lead").textContent = `Within ${cost(budget)} per video, trial ${point.trial} answers ${percent(point.top1)} of the test videos rightly `
    + `(95% interval ${percent(point.low)} to ${percent(point.high)}) at ${cost(point.cost)} per video.`;
  const tile = (value, text) => tag("li", {}, tag("b", {}, value), text);
  fill("tiles",
    tile(percent(point.top1), `top-1 on ${data.numTest} test videos, ${(100 * point.low).toFixed(1)} to ${(100 * point.high).toFixed(1)}`),
    tile(figure(point.cost), `${data.measure.perVideo}, budget ${figure(budget)}`),
    tile(percent(Math.abs(less), 0), `${less >= 0 ? "less" : "more"} than full inference, which takes ${figure(full.cost)}`),
    tile(signed(point.top1 - full.top1), `points of top-1 against full inference, ${percent(full.top1)}`));
  byId("doubt").textContent = point.doubt ? `The point is marked ?: ${point.doubt} (calibration).` : "";
  placeSlider();
  drawFrontier();
  drawTable();
  drawPoint();
  drawComparison();
}
const pick = (place) => choose(budgetOf(points, place));
const step = (by) => pick(Math.min(points.length - 1, Math.max(0, state.place + by)));

function frontierRow(point) {
  const { plan, calibration } = point;
  return [price(point.cost), share(point.top1), share(point.low), share(point.high), ...Object.values(point.more).map((value) => share(value)),
    price(calibration[0]), share(calibration[1]), calibration[2] === null ? cell(null, "") : cell(calibration[2], percent(calibration[2]) + (point.doubt ? "?" : "")),
    point.trial, data.plans[plan]?.fields.exits ?? "", data.plans[plan]?.fields["frame order"] ?? "", point.thresholds.slice(0, -1).join(" ") || "none"];
}
const frontierColumns = () => [`#${unit}`, "#top-1", "#from", "#to", ...Object.keys(points[0].more).map((name) => `#${name}`),
  `#${unit} on calibration`, "#top-1 on calibration", "#expected", "#trial", "exits", "frame order", "thresholds"];

function drawTable() {
  table(byId("frontier-table"), "Operating points: top-1 on test with its 95% interval", [...frontierColumns(), ""],
    points.map((point, place) => ({ cells: [...frontierRow(point), place === state.place ? "chosen" : ""], class: place === state.place ? "is" : null, pick: () => pick(place) })),
    { open: true, few: spread(14), csv: "frontier" });
}

function startFrontier() {
  const slider = byId("slider");
  let waiting = 0;
  slider.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => choose(sliderBudget(Number(slider.value))));
  });
  slider.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    step(by);
  });
  byId("field").addEventListener("input", () => {
    const value = Number(byId("field").value);
    if (value > 0 && Number.isFinite(value)) choose(value, { from: "field" });
  });
  byId("budget").addEventListener("submit", (event) => event.preventDefault());
  byId("copy").addEventListener("click", () => copy(exportLine(), byId("copy")));
  byId("link").addEventListener("click", () => copy(`${location.href.split("#")[0]}#budget=${state.budget}`, byId("link")));
  byId("cheaper").addEventListener("click", () => step(-1));
  byId("dearer").addEventListener("click", () => step(1));
  byId("near").addEventListener("click", () => show(null));
  byId("all").addEventListener("click", () => show(everything()));
  byId("closer").addEventListener("click", () => zoom(0.6));
  byId("wider").addEventListener("click", () => zoom(1 / 0.6));
  byId("log").addEventListener("change", () => { state.log = byId("log").checked; drawFrontier(); });
  byId("published-too").addEventListener("change", () => { state.published = byId("published-too").checked; show(state.published ? everything() : null); });
  byId("published-option").hidden = !data.references.length;
  const host = byId("frontier-chart");
  let from = null;
  host.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse" && event.button === 0) from = event.clientX; });
  addEventListener("pointerup", (event) => {
    if (from === null || Math.abs(event.clientX - from) < 12) { from = null; return; }
    const edge = host.getBoundingClientRect().left;
    const view = [from, event.clientX].map((pixel) => host.from(pixel - edge)).sort((a, b) => a - b);
    from = null;
    host.addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
    setTimeout(() => host.dispatchEvent(new Event("click")), 0);
    if (view[0] > 0) show(view);
  });
  addEventListener("hashchange", readAddress);
  const saved = points[data.saving.point];
  fill("saving", `Full inference (every video to the last exit of trial ${data.full.trial}) costs ${cost(data.full.cost)} for ${percent(data.full.top1)}. `
    + "The cheapest point as accurate on calibration is ",
  tag("button", { type: "button", class: "link", onclick: () => pick(data.saving.point) }, `${percent(saved.top1)} at ${figure(saved.cost)}`),
  `: ${percent(1 - saved.cost / data.full.cost, 0)} less, at a difference of ${signed(data.saving.low)} to ${signed(data.saving.high)} points (95% interval, paired).`);
}

function readAddress() {
  const found = /^#budget=([0-9.eE+-]+)$/.exec(location.hash);
  const budget = found ? Number(found[1]) : NaN;
  if (budget > 0 && Number.isFinite(budget)) choose(budget);
  return budget > 0;
}
