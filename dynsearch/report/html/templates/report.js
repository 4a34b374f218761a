// The start: arrays are unpacked, everything is drawn, and drawn again when the width changes.
async function start() {
  await Promise.all(data.plans.filter((plan) => plan.videos).map(async (plan) => {
    const { stops, right, labels, answers } = plan.videos;
    try {
      plan.videos = { stops: await unpacked(stops, Uint8Array), right: await unpacked(right, Uint8Array), labels: await unpacked(labels, Uint16Array), answers: await unpacked(answers, Uint16Array) };
    } catch {
      plan.videos = null;  // A browser that can't inflate: what needs single videos is left out.
    }
  }));
  byId("field").max = String(10 * Math.max(data.budget, points[points.length - 1].calibration[0]));
  byId("unit").textContent = data.measure.perVideo;
  const full = bestUnder(points, data.budget);
  state.place = Math.max(0, full);
  const [low, high] = accurateEnd();
  state.log = high / low > 4;
  byId("log").checked = state.log;
  startPlans();
  startSearch();
  startFrontier();
  byId("class-order").addEventListener("change", drawPoint);
  if (!readAddress()) choose(data.budget, { address: false });
  draws.forEach((draw) => draw());
  let width = document.documentElement.clientWidth;
  let waiting = 0;
  const redraw = () => { drawFrontier(); drawPoint(); draws.forEach((draw) => draw()); };
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      if (document.documentElement.clientWidth === width || printing) return;
      width = document.documentElement.clientWidth;
      redraw();
    });
  });
  addEventListener("beforeprint", () => { printing = true; redraw(); });
  addEventListener("afterprint", () => { printing = false; redraw(); });
  document.documentElement.dataset.ready = "yes";
}
start();
