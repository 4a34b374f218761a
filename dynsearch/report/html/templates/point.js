// The chosen point: its plan on the grid, its exits, which videos stop where, and what early exits do to classes.
const exitClass = (k) => `e${k % 8}`;

function grid(plan, shares) {
  const [left, top, wide, tall] = [78, 30, 72, 40];
  const depth = plan.rows[0].first.length;
  const [width, height] = [left + depth * wide + 6, top + plan.rows.length * tall + 4];
  const text = (words, attributes) => svg("text", attributes, words);
  const parts = [text("frames", { x: left - 10, y: top - 10, "text-anchor": "end", class: "name" })];
  for (let column = 0; column < depth; column += 1) parts.push(text(`depth ${column + 1}`, { x: left + (column + 0.5) * wide, y: top - 10, "text-anchor": "middle" }));
  plan.rows.forEach((row, number) => {
    const y = top + number * tall;
    parts.push(text(row.frames, { x: left - 10, y: y + tall / 2, dy: "0.35em", "text-anchor": "end" }));
    row.first.forEach((needed, column) => {
      const [x, middle] = [left + column * wide, left + (column + 0.5) * wide];
      parts.push(svg("rect", { class: `cell ${needed === null ? "none" : exitClass(needed)}`, x: x + 1, y: y + 1, width: wide - 2, height: tall - 2, rx: 3 }));
      const k = row.exit[column];
      if (k !== undefined) {
        parts.push(svg("rect", { class: "exit", x: x + 6, y: y + 3, width: wide - 12, height: tall - 6, rx: 5 }),
          text(`exit ${k + 1}`, { x: middle, y: y + 17, "text-anchor": "middle", class: "strong" }),
          text(percent(shares[k], 0), { x: middle, y: y + 32, "text-anchor": "middle" }));
      } else if (needed !== null) parts.push(text(needed + 1, { x: middle, y: y + tall / 2, dy: "0.35em", "text-anchor": "middle", class: "oncell" }));
    });
    if (number && plan.rows[number - 1].group !== row.group) parts.push(svg("line", { class: "group", x1: 6, x2: width - 6, y1: y, y2: y }));
  });
  const said = plan.exits.map((exit, k) => `exit ${k + 1} after ${exit.frames} frames at depth ${exit.depth} takes ${percent(shares[k], 0)}`).join(", ");
  return svg("svg", { class: "fixed", role: "img", "aria-label": `${planName(plan)}. Frames by depth; ${said}.`, viewBox: `0 0 ${width} ${height}`, width }, parts);
}

function drawPoint() {
  const point = current();
  const plan = data.plans[point.plan];
  const videos = stopsAt(point);
  byId("plan-text").textContent = `${plan.text} (plan ${plan.id}, trial ${plan.trial}).`;
  fill("grid", grid(plan, point.share));
  byId("grid-more").textContent = {
    video: "Depth 1 is the global network's glance, depth 2 the local network's look at the patches.",
    frame: "Depth 1 is the global network's glance at a frame and the local network's look at its patch.",
  }[plan.patch] ?? (plan.family === "sfc" ? "Each exit compresses all frames seen so far." : "");
  const dead = point.share.map((part, k) => [part, k]).filter(([part]) => part === 0).map(([, k]) => k);
  const everywhere = points.filter((other) => other.plan === point.plan);
  byId("dead").hidden = !dead.length;
  byId("dead").textContent = dead.map((k) => `Exit ${k + 1} (${plan.exits[k].name}) is dead weight here: no test video stops there, `
    + `${k === plan.exits.length - 1 ? "and what lies behind the exit before it is never computed" : "yet every video that gets so far pays for its head"}`
    + `${everywhere.every((other) => other.share[k] === 0) && everywhere.length > 1 ? ", and none does at any point of this plan" : ""}.`).join(" ");
  const exits = plan.exits.map((exit, k) => {
    let [stopping, right] = [0, 0];
    if (videos) for (let video = 0; video < data.numTest; video += 1) if (videos.exit[video] === k) { stopping += 1; right += videos.rightAt(k, video); }
    return { ...exit, share: point.share[k], stopping: stopping ? right / stopping : null };
  });
  table(byId("exits-table"), `Exits of trial ${plan.trial} at this point, on test`,
    ["#exit", "cell", "#frames", "#depth", `#${unit} up to here`, "#threshold", "#videos stopping", "#top-1 of all", "#top-1 of those"],
    exits.map((exit, k) => [k + 1, exit.name, exit.frames, exit.depth, price(exit.cost), point.thresholds[k], share(exit.share), share(exit.top1), share(exit.stopping)]),
    { open: true, csv: "exits" });
  const heights = exits.flatMap((exit) => [...exit.interval.map((end) => 100 * end), ...(exit.stopping === null ? [] : [100 * exit.stopping])]);
  const [low, high] = padded(heights);
  chart(byId("accuracy"), {
    title: "Accuracy of each exit", text: exits.map((exit, k) => `exit ${k + 1}: ${percent(exit.top1)}`).join("; "), height: 300,
    x: { range: padded(exits.map((exit) => exit.cost)), label: `${unit} up to the exit` }, y: { range: [Math.max(0, low), Math.min(100, Math.max(high, low + 1))], label: "top-1 on test (%)" },
    items: [
      { kind: "line", class: "own this p0", points: exits.map((exit) => [exit.cost, 100 * exit.top1]) },
      ...exits.map((exit) => ({ kind: "line", class: "whisker", points: exit.interval.map((end) => [exit.cost, 100 * end]) })),
      ...exits.map((exit, k) => ({ kind: "dot", class: "dot p0", radius: 5, x: exit.cost, y: 100 * exit.top1,
        tip: `exit ${k + 1} (${exit.name}): ${percent(exit.top1)} if all videos stopped here, at ${cost(exit.cost)}` })),
      ...exits.flatMap((exit, k) => (exit.stopping === null ? [] : [{ kind: "dot", class: "stopping", radius: 5, x: exit.cost, y: 100 * exit.stopping,
        tip: `exit ${k + 1} (${exit.name}): ${percent(exit.stopping)} of the ${percent(exit.share)} that stop here` }])),
    ],
  });
  byId("lacking").hidden = !plan.lacks;
  byId("lacking").textContent = plan.lacks ? `Where each video of trial ${plan.trial} stops is not in this page, ${plan.lacks}: its videos, classes, confusions and `
    + `top-1 of those that stop at an exit are left out. All of it is in the study's trials/${plan.trial}/scores-test.npz.` : "";
  drawVideos(point, plan, videos);
  drawClasses(point, plan, videos);
  drawConfusions(point, videos);
  byId("believed").hidden = data.reliability.plan !== point.plan || !data.reliability.exits.length;
}

function drawVideos(point, plan, videos) {
  byId("videos").hidden = !videos || !data.pictured.length;
  if (byId("videos").hidden) return;
  const seen = data.pictured.map((video) => {
    const exit = videos.exit[video.place];
    const answered = videos.answerAt(exit, video.place);
    return { ...video, exit, right: videos.rightAt(exit, video.place), answer: answered === null ? "" : className(answered),
      label: videos.labels ? className(videos.labels[video.place]) : "" };
  });
  const used = point.share.map((part, k) => [part, k]).filter(([part]) => part > 0).map(([, k]) => k);
  const [first, last] = [used[0], used[used.length - 1]];
  const early = seen.filter((video) => video.exit === first && video.right).slice(0, 8);
  const late = first === last ? [] : seen.filter((video) => video.exit === last).slice(0, 8);
  const card = (video) => tag("li", {}, video.jpeg ? tag("img", { src: `data:image/jpeg;base64,${video.jpeg}`, alt: `Frames of video ${video.id}${video.label ? `, class ${video.label}` : ""}` }) : null,
    tag("b", {}, video.label || video.id), `${video.answer ? (video.right ? "right, " : `taken for ${video.answer}, `) : ""}exit ${video.exit + 1}, ${cost(plan.exits[video.exit].cost)}`,
    tag("span", { class: "id" }, video.id));
  const part = (title, words, list) => (list.length ? [tag("h3", {}, title), tag("p", {}, words), tag("ul", { class: "videos" }, list.map(card))] : []);
  fill("videos-shown", part("Stop first", `Answered rightly at exit ${first + 1}, the first in use.`, early), part("Go to the end", `Go on to exit ${last + 1}, the last in use.`, late));
  table(byId("videos-table"), "Pictured videos", ["video", "class", "answer", "", "#exit", `#${unit}`],
    seen.map((video) => [video.id, video.label, video.answer, video.right ? "right" : "wrong", video.exit + 1, price(plan.exits[video.exit].cost)]), { csv: "videos" });
}

// By class: videos, those right at the point and at the plan's last exit, and where they stop.
function byClass(videos) {
  const classes = new Map();
  for (let video = 0; video < data.numTest; video += 1) {
    const label = videos.labels[video];
    if (!classes.has(label)) classes.set(label, { label, count: 0, right: 0, full: 0, stops: new Array(videos.last + 1).fill(0) });
    const found = classes.get(label);
    const exit = videos.exit[video];
    found.count += 1;
    found.right += videos.rightAt(exit, video);
    found.full += videos.rightAt(videos.last, video);
    found.stops[exit] += 1;
  }
  return [...classes.values()];
}

function drawClasses(point, plan, videos) {
  byId("classes").hidden = !videos?.labels;
  if (byId("classes").hidden) return;
  const classes = byClass(videos).map((found) => ({ ...found, name: className(found.label), top1: found.right / found.count, drop: (found.full - found.right) / found.count,
    cost: found.stops.reduce((sum, count, k) => sum + count * plan.exits[k].cost, 0) / found.count }));
  const order = byId("class-order").value;
  classes.sort((a, b) => (order === "hurt" ? b.drop - a.drop || a.top1 - b.top1 : a.cost - b.cost) || a.name.localeCompare(b.name));
  const most = 30;
  const shown = classes.length > most ? [...classes.slice(0, most * 2 / 3), ...classes.slice(-most / 3)] : classes;
  byId("classes-cut").textContent = classes.length > most ? `The first ${most * 2 / 3} and the last ${most / 3} of ${classes.length} are drawn; the table has all.` : "";
  const hurt = classes.filter((found) => found.drop > 0).sort((a, b) => b.drop - a.drop);
  byId("hurt").textContent = hurt.length
    ? `Early exits cost most in ${hurt.slice(0, 3).map((found) => `${found.name} (${signed(-found.drop, 0)} points of ${many(found.count, "video")})`).join(", ")}; `
      + `${hurt.length} of ${classes.length} classes lose, ${classes.filter((found) => found.drop < 0).length} gain against the plan's last exit.`
    : "No class loses by early exits at this point.";
  const host = byId("class-chart");
  const width = Math.max(260, widthOf(host));
  const [tall, bar, beside] = [40, 16, 92];
  const parts = [];
  const dots = [];
  shown.forEach((found, row) => {
    const y = row * tall;
    parts.push(svg("text", { x: 0, y: y + 14 }, shortened(found.name, Math.floor(width / 9))));
    parts.push(svg("text", { x: width, y: y + 20 + bar / 2, dy: "0.35em", "text-anchor": "end", class: found.drop > 0 ? "loss" : null }, `${percent(found.top1, 0)} (${signed(-found.drop, 0)})`));
    let x = 0;
    found.stops.forEach((count, k) => {
      const length = (count / found.count) * (width - beside);
      if (!count) return;
      const element = svg("rect", { class: `pt bar ${exitClass(k)}`, x, y: y + 20, width: length, height: bar });
      parts.push(element);
      dots.push({ element, bar: true, place: [x, y], tip: `${found.name}: ${percent(count / found.count, 0)} of ${many(found.count, "video")} stop at exit ${k + 1}\n`
        + `top-1 ${percent(found.top1)}, at the last exit ${percent(found.full / found.count)}` });
      if (length > 18) parts.push(svg("text", { x: x + length / 2, y: y + 20 + bar / 2, dy: "0.35em", "text-anchor": "middle", class: "oncell" }, k + 1));
      x += length;
    });
  });
  const picture = svg("svg", { class: "chart", role: "img", tabindex: "0", viewBox: `0 0 ${width} ${shown.length * tall}`,
    "aria-label": `Exits by class. ${byId("hurt").textContent}` }, parts);
  answer(picture, dots, {});
  replace(host, picture);
  table(byId("classes-table"), "Classes", ["class", "#videos", `#${unit}`, "#top-1", "#at the last exit", "#difference", ...plan.exits.map((_, k) => `#exit ${k + 1}`)],
    classes.map((found) => [found.name, found.count, price(found.cost), share(found.top1), share(found.full / found.count), cell(-found.drop, signed(-found.drop)),
      ...found.stops.map((count) => share(count / found.count, 0))]), { csv: "classes" });
}

function confusions(videos, exitOf) {
  const found = new Map();
  for (let video = 0; video < data.numTest; video += 1) {
    const pair = videos.labels[video] * 65536 + videos.answerAt(exitOf(video), video);
    found.set(pair, (found.get(pair) ?? 0) + 1);
  }
  return found;
}

function drawConfusions(point, videos) {
  byId("confusions").hidden = !videos?.labels || videos.answerAt(0, 0) === null;
  if (byId("confusions").hidden) return;
  const whole = data.points.find((other) => other.plan === data.full.plan);
  const other = whole ? stopsAt(whole) : null;
  const full = other?.labels && other.answerAt(0, 0) !== null ? confusions(other, () => other.last) : null;
  const here = confusions(videos, (video) => videos.exit[video]);
  const counts = new Map();
  for (let video = 0; video < data.numTest; video += 1) counts.set(videos.labels[video], (counts.get(videos.labels[video]) ?? 0) + 1);
  const pairs = [...new Set([...here.keys(), ...(full ?? here).keys()])].map((pair) => ({ truth: Math.floor(pair / 65536), answer: pair % 65536, here: here.get(pair) ?? 0, full: full?.get(pair) ?? 0 }))
    .filter((pair) => pair.truth !== pair.answer).sort((a, b) => b.here - a.here || b.full - a.full || a.truth - b.truth);
  table(byId("confusions-table"), "Most confused pairs", ["class", "taken for", "#videos of the class", "#here", ...(full ? ["#at full inference", "#difference"] : [])],
    pairs.slice(0, 200).map((pair) => [className(pair.truth), className(pair.answer), counts.get(pair.truth), pair.here, ...(full ? [pair.full, cell(pair.here - pair.full, `${pair.here > pair.full ? "+" : ""}${pair.here - pair.full}`)] : [])]),
    { open: true, few: new Set([0, 1, 2, 3, 4, 5, 6, 7]), csv: "confusions" });
  const most = 24;
  let labels = [...counts.keys()].sort((a, b) => a - b);
  byId("confusions-cut").textContent = labels.length > most ? `The ${most} classes most often confused of ${labels.length} are drawn.` : "";
  if (!full) byId("confusions-cut").textContent += ` Full inference, of trial ${data.full.trial}, is not shown: ${whole ? `where its videos stop is left out ${data.plans[data.full.plan].lacks ?? ""}` : "its plan has no point on the frontier"}.`;
  if (labels.length > most) {
    const wrong = new Map();
    for (const pair of pairs) for (const label of [pair.truth, pair.answer]) wrong.set(label, (wrong.get(label) ?? 0) + pair.here + pair.full);
    labels = labels.sort((a, b) => (wrong.get(b) ?? 0) - (wrong.get(a) ?? 0)).slice(0, most).sort((a, b) => a - b);
  }
  const matrix = (host, title, found) => {
    const size = Math.max(260, Math.min(560, widthOf(host)));
    const letters = size > 400 ? 24 : 14;
    const edge = 10 + 7.2 * Math.min(letters, Math.max(...labels.map((label) => className(label).length)));
    const step = (size - edge) / labels.length;
    const dots = [];
    const parts = labels.map((label, row) => svg("text", { x: edge - 6, y: (row + 0.5) * step, dy: "0.35em", "text-anchor": "end", class: "small" }, shortened(className(label), letters)));
    labels.forEach((truth, row) => labels.forEach((given, column) => {
      const count = found.get(truth * 65536 + given) ?? 0;
      const part = count / (counts.get(truth) || 1);
      const element = svg("rect", { class: `pt heat ${truth === given ? "right" : "wrong"}`, x: edge + column * step, y: row * step, width: step - 1, height: step - 1, "fill-opacity": count ? 0.12 + 0.88 * Math.min(1, truth === given ? part : 2 * part) : 0.03 });
      parts.push(element);
      if (count) dots.push({ element, bar: true, place: [column, row], tip: `${className(truth)} ${truth === given ? "recognised" : `taken for ${className(given)}`}: ${count} of ${counts.get(truth)} (${percent(part, 0)})` });
      if (count && step > 22) parts.push(svg("text", { class: "oncell small", x: edge + (column + 0.5) * step, y: (row + 0.5) * step, dy: "0.35em", "text-anchor": "middle" }, count));
    }));
    const picture = svg("svg", { class: "chart matrix", role: "img", tabindex: "0", viewBox: `0 0 ${size} ${size - edge + 4}`, "aria-label": `${title}: rows are classes, columns answers in the same order.` }, parts);
    answer(picture, dots, {});
    replace(host, picture);
  };
  matrix(byId("confusion-here"), "Confusions at the chosen point", here);
  byId("confusion-full-figure").hidden = !full;
  if (full) matrix(byId("confusion-full"), "Confusions at full inference", full);
}
