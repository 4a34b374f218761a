// Small things that all parts share: elements, numbers in words, packed arrays, and the one state of the page.
const data = JSON.parse(document.getElementById("data").textContent);
const unit = data.measure.unit;
const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const tag = (name, attributes, ...children) => make(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => make(document.createElementNS(SVG, name), attributes, children);
const byId = (id) => document.getElementById(id);
const fill = (id, ...children) => byId(id).replaceChildren(...children.flat(Infinity).filter((child) => child !== null));

const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;
const signed = (share, digits = 1) => {
  const size = (100 * Math.abs(share)).toFixed(digits);
  return `${Number(size) === 0 ? "\u00b1" : share < 0 ? "\u2212" : "+"}${size}`;
};
const shortened = (text, most) => (text.length > most ? `${text.slice(0, Math.ceil(most / 3))}\u2026${text.slice(1 - Math.floor((2 * most) / 3))}` : text);
const figure = (value) => String(Number(value.toPrecision(4)));
const cost = (value) => `${figure(value)} ${unit}`;
const many = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// Cells of tables: what is read, and the number that is sorted by and saved.
const cell = (value, text) => ({ value, text });
const share = (value, digits) => (value === null || value === undefined ? cell(null, "") : cell(value, percent(value, digits)));
const price = (value) => (value === null || value === undefined ? cell(null, "") : cell(value, figure(value)));

const className = (label) => data.classes[label] ?? `class ${label}`;
const planName = (plan) => `trial ${plan.trial}`;
const colour = (plan) => (plan === null ? "other" : `p${plan % 8}${plan >= 8 ? " dashed" : ""}`);

// The place of the best point, chosen on calibration, that keeps a budget; -1 where all cost more.
function bestUnder(points, budget) {
  let best = -1;
  points.forEach((point, place) => {
    if (point.calibration[0] <= budget * (1 + 1e-12)) best = place;
  });
  return best;
}

// The shortest budget under which a point is the best one.
function budgetOf(points, place) {
  const [low, high] = [points[place].calibration[0], points[place + 1]?.calibration[0] ?? Infinity];
  for (let digits = 3; digits < 17; digits += 1) {
    const power = 10 ** (digits - 1 - Math.floor(Math.log10(low)));
    const budget = Number((Math.ceil(low * power - 1e-9) / power).toPrecision(digits));
    if (budget >= low && budget < high) return budget;
  }
  return low;
}

// Deflated little-endian numbers in base64, as an array of their kind.
async function unpacked(text, Kind) {
  if (!text) return null;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Kind(await new Response(stream).arrayBuffer());
}

// Where the test videos stop at a point, who is right, and what is answered; null where the page has no room for it.
function stopsAt(point) {
  const plan = data.plans[point.plan];
  const videos = plan?.videos;
  if (!videos) return null;
  const own = data.points.filter((other) => other.plan === point.plan);
  const [at, count, total] = [own.indexOf(point), own.length, data.numTest];
  if (at < 0) return null;
  const exit = new Uint8Array(total);
  for (let video = 0; video < total; video += 1) exit[video] = videos.stops[video * count + at];
  return {
    exit,
    labels: videos.labels,
    rightAt: (k, video) => videos.right[k * total + video] === 1,
    answerAt: (k, video) => (videos.answers ? videos.answers[k * total + video] : null),
    last: plan.exits.length - 1,
  };
}
