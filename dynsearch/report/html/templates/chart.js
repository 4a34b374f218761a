// A chart: axes over two ranges of values, lines, areas and dots; dots answer to mouse, tap and keys.
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 14, 12, 46];
let clips = 0;

// What is printed is drawn for paper, whatever the window's width.
let printing = false;
const widthOf = (host) => (printing ? (host.closest(".row") ? 340 : 720) : host.clientWidth || 640);

function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= raw * (1 - 1e-9));
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) values.push(Number((i * step).toPrecision(12)));
  return values;
}

function logTicks(low, high, count) {
  const values = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of [1, 2, 3, 5, 7]) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) values.push(value);
    }
  }
  if (values.length < 3) return ticks(low, high, count);
  const keep = Math.ceil(values.length / count);
  return values.filter((_, i) => i % keep === 0);
}

function padded(values, part = 0.06) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low) * part || Math.abs(high) * part || 1;
  return [low - margin, high + margin];
}

const SHAPES = {
  circle: (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
  square: (r) => `M${-r * 0.9},${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
  triangle: (r) => `M0,${-r * 1.15}l${r * 1.1},${r * 2}h${-r * 2.2}z`,
  diamond: (r) => `M0,${-r * 1.25}l${r * 1.25},${r * 1.25}l${-r * 1.25},${r * 1.25}l${-r * 1.25},${-r * 1.25}z`,
  cross: (r) => `M${-r},${-r}l${2 * r},${2 * r}m0,${-2 * r}l${-2 * r},${2 * r}`,
};
const shapeOf = (plan) => ["circle", "square", "triangle", "diamond"][(plan ?? 0) % 4];

// spec: title, text, x and y: {range, label, log}, height, items; an item is a line, area, rule, text, bar or dot.
function chart(host, spec) {
  const width = Math.max(260, Math.floor(widthOf(host)));
  const height = spec.height ?? Math.round(Math.min(430, Math.max(260, width * 0.5)));
  const [right, bottom] = [width - RIGHT, height - BOTTOM];
  const at = ({ range: [low, high], log }, start, end) => (value) => log
    ? start + (Math.log(value / low) / Math.log(high / low || 2)) * (end - start)
    : start + ((value - low) / (high - low || 1)) * (end - start);
  const [x, y] = [at(spec.x, LEFT, right), at(spec.y, bottom, TOP)];
  const clip = `clip${(clips += 1)}`;
  const frame = [];
  for (const value of ticks(...spec.y.range, Math.max(3, height / 70))) {
    frame.push(svg("line", { class: "grid", x1: LEFT, x2: right, y1: y(value), y2: y(value) }));
    frame.push(svg("text", { x: LEFT - 8, y: y(value), dy: "0.35em", "text-anchor": "end" }, String(value)));
  }
  for (const value of (spec.x.log ? logTicks : ticks)(...spec.x.range, Math.max(3, width / 110))) {
    frame.push(svg("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP, y2: bottom }));
    frame.push(svg("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, figure(value)));
  }
  const middle = (TOP + bottom) / 2;
  frame.push(svg("text", { class: "name", x: (LEFT + right) / 2, y: height - 6, "text-anchor": "middle" }, spec.x.label));
  frame.push(svg("text", { class: "name", x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, spec.y.label));
  const places = (points) => points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
  const dots = [];
  const drawn = spec.items.map((item) => {
    if (item.kind === "line") return svg("polyline", { class: `line ${item.class}`, points: places(item.points) });
    if (item.kind === "area") return svg("polygon", { class: item.class, points: places(item.points) });
    if (item.kind === "rule") {
      const late = x(item.x) > width - 150;
      return [svg("line", { class: "budget", x1: x(item.x), x2: x(item.x), y1: TOP, y2: bottom }),
        svg("text", { x: x(item.x) + (late ? -6 : 6), y: TOP + 12, "text-anchor": late ? "end" : "start" }, item.text)];
    }
    const place = [x(item.x), y(item.y)];
    const dot = svg("path", { class: `pt ${item.class}`, d: SHAPES[item.shape ?? "circle"](item.radius ?? 4),
      transform: `translate(${place[0].toFixed(1)} ${place[1].toFixed(1)})` });
    if (item.tip) dots.push({ element: dot, place, tip: item.tip, pick: item.pick, inside: place[0] >= LEFT - 1 && place[0] <= right + 1 && place[1] >= TOP - 1 && place[1] <= bottom + 1 });
    return dot;
  });
  const picture = svg("svg", {
    class: "chart", role: "img", "aria-label": `${spec.title}. ${spec.text}`, viewBox: `0 0 ${width} ${height}`, tabindex: "0",
  }, svg("clipPath", { id: clip }, svg("rect", { x: LEFT, y: TOP - 8, width: right - LEFT + 8, height: bottom - TOP + 16 })),
  frame, svg("g", { "clip-path": `url(#${clip})` }, drawn.flat()));
  answer(picture, dots.filter((dot) => dot.inside).sort((a, b) => a.place[0] - b.place[0]), spec.keys ?? {});
  replace(host, picture);
  return { x, from: (pixel) => spec.x.log
    ? spec.x.range[0] * (spec.x.range[1] / spec.x.range[0]) ** ((pixel - LEFT) / (right - LEFT))
    : spec.x.range[0] + ((pixel - LEFT) / (right - LEFT)) * (spec.x.range[1] - spec.x.range[0]), picture, left: LEFT, right };
}

// A picture drawn anew keeps the focus that the old one had.
function replace(host, picture) {
  const had = host.contains(document.activeElement);
  host.replaceChildren(picture);
  if (had) picture.focus({ preventScroll: true });
}

// The tip: one for the page.
let lit = null;
let shownAt = 0;
function hideTip() {
  lit?.classList.remove("on");
  lit = null;
  byId("tip").hidden = true;
}
function showTip(element, text, left, top) {
  lit?.classList.remove("on");
  lit = element;
  lit.classList.add("on");
  shownAt = scrollY;
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  const [wide, tall] = [document.documentElement.clientWidth, innerHeight];
  const beside = left + 14 + tip.offsetWidth > wide ? left - 14 - tip.offsetWidth : left + 14;
  const below = top + 14 + tip.offsetHeight > tall ? top - 14 - tip.offsetHeight : top + 14;
  tip.style.left = `${Math.max(6, Math.min(beside, wide - tip.offsetWidth - 6))}px`;
  tip.style.top = `${Math.max(6, below)}px`;
}
addEventListener("scroll", () => { if (Math.abs(scrollY - shownAt) > 24) hideTip(); }, { passive: true });
document.addEventListener("pointerdown", (event) => { if (!event.target.closest?.("svg.chart")) hideTip(); });

// Dots {element, place, tip, pick} of a picture answer: the nearest to the pointer; a bar where it is.
function answer(picture, dots, keys) {
  const said = (dot) => { const box = dot.element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
  const nearest = (event) => {
    let [best, least] = [null, (event.pointerType === "touch" ? 40 : 24) ** 2];
    for (const dot of dots) {
      const box = dot.element.getBoundingClientRect();
      if (dot.bar) {
        if (event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom) return dot;
        continue;
      }
      const distance = (box.x + box.width / 2 - event.clientX) ** 2 + (box.y + box.height / 2 - event.clientY) ** 2;
      if (distance < least) [best, least] = [dot, distance];
    }
    return best;
  };
  let waiting = 0;
  let at = -1;
  picture.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || event.buttons) return;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      const dot = nearest(event);
      if (dot) showTip(dot.element, dot.tip, event.clientX, event.clientY);
      else hideTip();
    });
  });
  picture.addEventListener("pointerleave", (event) => { cancelAnimationFrame(waiting); if (event.pointerType !== "touch") hideTip(); });
  picture.addEventListener("click", (event) => {
    const dot = nearest(event);
    if (!dot) { hideTip(); return; }
    dot.pick?.();
    const now = dot.element.isConnected ? dot.element : picture;
    showTip(now, dot.tip, event.clientX, event.clientY);
  });
  picture.addEventListener("blur", hideTip);
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") hideTip();
    if (event.key === "Enter" && at >= 0) dots[at].pick?.();
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
    if (!step || !dots.length) return;
    event.preventDefault();
    at = at < 0 && step < 0 ? dots.length - 1 : (at + step + dots.length) % dots.length;
    showTip(dots[at].element, dots[at].tip, ...said(dots[at]));
  });
}

// A legend's key: a line and a shape of a class, or one of them.
const key = (text, classes, shape, extra = {}) => tag("li", extra, svg("svg", { class: "key", viewBox: "0 0 22 14", "aria-hidden": "true" },
  shape === "area" ? svg("path", { class: classes, d: "M0,1h22v12h-22z" })
    : shape === "rule" ? svg("path", { class: classes, d: "M11,0v14" })
      : [["chosen", "full"].includes(classes) ? null : svg("path", { class: `line ${classes}`, d: "M0,7h22" }),
        shape ? svg("path", { class: `dot ${classes}`, d: SHAPES[shape](4), transform: "translate(11 7)" }) : null]), text);
