// How the search went, what the one-shot network promised, what papers report, and how the study was made.
const draws = [];  // What is drawn anew when the page's width changes, and does not follow the budget.

function startSearch() {
  const growth = [];
  data.hypervolume.forEach(([trial, volume], i) => { if (!growth.length || volume > growth[growth.length - 1][2]) growth.push([i + 1, trial, volume]); });
  const steps = data.hypervolume.reduce((list, _, i) => {
    const best = Math.max(...growth.filter(([place]) => place <= i + 1).slice(-1).map(([, , volume]) => volume));
    if (list.length) list.push([i + 1, list[list.length - 1][1]]);
    return [...list.slice(-2 * data.hypervolume.length), [i + 1, 100 * best]];
  }, []);
  draws.push(() => chart(byId("history"), {
    title: "Hypervolume over the search", text: `From ${percent(growth[0][2])} after the first plan to ${percent(growth[growth.length - 1][2])}.`, height: 280,
    x: { range: [0.5, data.hypervolume.length + 0.5], label: "plans measured" }, y: { range: padded(growth.map(([, , volume]) => 100 * volume), 0.1), label: "hypervolume (%)" },
    items: [{ kind: "line", class: "own this p0", points: steps }, ...growth.map(([place, trial, volume]) => ({ kind: "dot", class: "dot p0", x: place, y: 100 * volume, tip: `trial ${trial}: ${percent(volume, 2)} after ${many(place, "plan")}` }))],
  }));
  table(byId("history-table"), "Hypervolume where it grew", ["#plans measured", "#trial", "#hypervolume"], growth.map(([place, trial, volume]) => [place, trial, share(volume, 2)]), { csv: "hypervolume" });
  const done = data.trials.filter((trial) => trial.top1 !== null && trial.cost !== null);
  const plain = (trial) => { const place = data.plans.findIndex((plan) => plan.trial === trial.number); return place < 0 ? null : place; };
  if (done.length) draws.push(() => chart(byId("trials"), {
    title: "Trials", text: `${many(done.length, "trial")}, each plan's best point within ${cost(data.budget)}.`, height: 280,
    x: { range: padded(done.map((trial) => trial.cost)), label: data.measure.perVideo }, y: { range: padded(done.map((trial) => 100 * trial.top1)), label: "top-1 on calibration (%)" },
    items: done.map((trial) => ({ kind: "dot", class: `dot ${colour(plain(trial))}`, shape: shapeOf(plain(trial)), radius: done.length > 200 ? 2.5 : 4.5, x: trial.cost, y: 100 * trial.top1,
      tip: `trial ${trial.number}: ${percent(trial.top1)} at ${cost(trial.cost)}\n${trial.plan}` })),
  }));
  table(byId("trials-table"), "Trials: the best point under the budget, on calibration", ["#trial", "state", "#top-1", `#${unit}`, "#minutes", "plan", "reason"],
    data.trials.map((trial) => [trial.number, trial.state, share(trial.top1), price(trial.cost), trial.minutes === null ? cell(null, "") : cell(trial.minutes, trial.minutes.toFixed(1)), trial.plan, trial.reason]), { csv: "trials" });
  startLearning();
  startPromises();
  startReliability();
  const rows = (host, caption, values) => table(byId(host), caption, ["field", "value"], Object.entries(values));
  byId("published").hidden = !data.references.length;
  table(byId("references-table"), "Published points", ["system", "#top-1 (%)", `#${unit}`, "source", "conditions"],
    data.references.map((point) => [point.name, point.top1, price(point.cost), point.source, point.conditions]), { open: true, csv: "published" });
  fill("commands", data.commands.join("\n") || "The command was not recorded.");
  fill("made", Object.entries(data.made).flatMap(([name, value]) => [tag("dt", {}, name), tag("dd", {}, String(value))]));
  rows("settings-table", "Settings and versions", data.settings);
  byId("trained").textContent = `${many(data.trials.length, "proposal")}, ${many(data.trials.filter((trial) => trial.state === "finished").length, "plan")} measured`
    + `${data.numShared ? `, ${data.numShared} of them with the one-shot network's own weights, the others trained alone` : ", each trained alone"}.`;
}

function startLearning() {
  const names = Object.keys(data.learning);
  byId("learning").hidden = !names.length;
  if (!names.length) return;
  const place = (name) => data.plans.findIndex((plan) => planName(plan) === name);
  const style = (name) => (place(name) < 0 ? "other" : colour(place(name)));
  const curve = (host, title, label, read) => draws.push(() => {
    const values = names.flatMap((name) => data.learning[name].map(read));
    const epochs = names.flatMap((name) => data.learning[name].map(([epoch]) => epoch));
    chart(byId(host), {
      title, text: names.map((name) => `${name} ends at ${figure(read(data.learning[name][data.learning[name].length - 1]))}`).join(", "), height: 260,
      x: { range: [Math.min(...epochs) - 0.5, Math.max(...epochs) + 0.5], label: "epoch" }, y: { range: padded(values), label },
      items: names.flatMap((name) => [{ kind: "line", class: `own this ${style(name)}`, points: data.learning[name].map((row) => [row[0], read(row)]) },
        ...data.learning[name].map((row) => ({ kind: "dot", class: `dot ${style(name)}`, shape: shapeOf(Math.max(0, place(name))), radius: 3, x: row[0], y: read(row), tip: `${name}, epoch ${row[0]}: ${figure(read(row))}` }))]),
    });
  });
  curve("loss-chart", "Training loss", "loss, summed over exits", ([, loss]) => loss);
  curve("top1-chart", "Top-1 on training videos", "top-1 in training (%)", ([, , top1]) => 100 * top1);
  fill("learning-legend", names.map((name) => key(name, style(name), shapeOf(Math.max(0, place(name))))));
  table(byId("learning-table"), "Epochs", ["training", "#epoch", "#loss", "#top-1"], names.flatMap((name) => data.learning[name].map(([epoch, loss, top1]) => [name, epoch, cell(loss, loss.toFixed(3)), share(top1)])), { csv: "learning" });
}

function startPromises() {
  byId("one-shot").hidden = !data.oneShot;
  if (!data.oneShot) return;
  const { tau, screened, promised } = data.oneShot;
  const rows = data.plans.filter((plan) => plan.trial in promised).map((plan) => ({ plan, trial: data.trials.find((trial) => trial.number === plan.trial), promise: promised[plan.trial] }));
  byId("promises").textContent = `${many(screened.length, "plan")} were screened on the scores of one network with an exit on every cell; the most promising were trained alone. `
    + (tau === null ? "Too few were to say how well it ranked them." : `Kendall's tau between promise and outcome at equal budgets is ${tau.toFixed(2)} (1: the same order, 0: chance).`);
  const heights = [...screened.map(([, top1]) => 100 * top1), ...rows.flatMap(({ trial, promise }) => [100 * promise, 100 * trial.top1])];
  const costs = [...screened.map(([price_]) => price_), ...rows.map(({ trial }) => trial.cost)];
  if (costs.length) draws.push(() => chart(byId("promises-chart"), {
    title: "What was promised and what came", text: rows.map(({ plan, trial, promise }) => `${planName(plan)}: ${percent(promise)} promised, ${percent(trial.top1)} came`).join("; "), height: 320,
    x: { range: padded(costs), label: data.measure.perVideo }, y: { range: padded(heights), label: "top-1 on calibration (%)" },
    items: [
      ...screened.map(([x, top1]) => ({ kind: "dot", class: "other", radius: 3, x, y: 100 * top1, tip: `a screened plan: ${percent(top1)} expected at ${cost(x)}` })),
      ...rows.map(({ trial, promise }) => ({ kind: "line", class: "whisker", points: [[trial.cost, 100 * promise], [trial.cost, 100 * trial.top1]] })),
      ...rows.flatMap(({ plan, trial, promise }) => [
        { kind: "dot", class: "stopping", x: trial.cost, y: 100 * promise, tip: `${planName(plan)}: ${percent(promise)} promised at ${cost(trial.cost)}` },
        { kind: "dot", class: `dot ${colour(data.plans.indexOf(plan))}`, shape: shapeOf(data.plans.indexOf(plan)), radius: 5, x: trial.cost, y: 100 * trial.top1, tip: `${planName(plan)}: ${percent(trial.top1)} came at ${cost(trial.cost)}\n${plan.text}` }]),
    ],
  }));
  table(byId("promises-table"), "Promised and reached, at each plan's best point under the budget, on calibration", ["#trial", "exits", `#${unit}`, "#promised", "#reached", "#difference"],
    rows.map(({ plan, trial, promise }) => [plan.trial, plan.fields.exits, price(trial.cost), share(promise), share(trial.top1), cell(trial.top1 - promise, signed(trial.top1 - promise))]), { open: true, csv: "promises" });
}

function startReliability() {
  const { plan, exits } = data.reliability;
  if (!exits.length) return;
  const hosts = exits.map(([before, after], k) => {
    const [host, figures] = [tag("div"), tag("div")];
    const name = `exit ${k + 1} (${data.plans[plan].exits[k].name})`;
    draws.push(() => {
      if (!byId("believed").hidden) chart(host, {
        title: `Reliability of exit ${k + 1}`, height: 260, text: `Expected calibration error ${percent(before.error)} before and ${percent(after.error)} after temperature ${after.temperature.toFixed(2)}.`,
        x: { range: [0, 100], label: "confidence (%)" }, y: { range: [0, 100], label: "accuracy (%)" },
        items: [{ kind: "line", class: "ideal", points: [[0, 0], [100, 100]] }, ...[[before, "before", "p1"], [after, "after", "p0"]].flatMap(([found, word, style]) => [
          { kind: "line", class: `own this ${style} ${word}`, points: found.bins.map(([confidence, accuracy]) => [100 * confidence, 100 * accuracy]) },
          ...found.bins.map(([confidence, accuracy, count]) => ({ kind: "dot", class: `dot ${style}`, shape: word === "before" ? "square" : "circle", radius: 3.5, x: 100 * confidence, y: 100 * accuracy,
            tip: `${word} scaling: ${many(count, "video")}, confidence ${percent(confidence, 0)}, right ${percent(accuracy, 0)}` }))])],
      });
    });
    table(figures, `Bins of confidence of exit ${k + 1}, on test`, ["scaling", "#confidence", "#accuracy", "#videos"],
      [["before", before], ["after", after]].flatMap(([word, found]) => found.bins.map(([confidence, accuracy, count]) => [word, share(confidence), share(accuracy), count])), { csv: `reliability-exit-${k + 1}` });
    return tag("figure", {}, tag("h4", {}, name), host, tag("figcaption", {}, `Calibration error ${percent(before.error)} before, ${percent(after.error)} after temperature ${after.temperature.toFixed(2)}.`), figures);
  });
  fill("reliability", hosts);
  fill("reliability-legend", key("before scaling", "p1", "square"), key("after scaling", "p0", "circle"), key("as believable as it says", "ideal"));
}
