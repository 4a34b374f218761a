// The start: all is drawn but videos, who prints at once has that; then with videos, and again when the width changes.
function start() {
  const packed = data.plans.map((plan) => plan.videos);
  for (const plan of data.plans) {
    plan.lacks = plan.videos ? "because the page is still unpacking it" : "so that the page stays below 10 MB";
    plan.videos = null;
  }
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
  unpackVideos(packed).then(() => {
    redraw();
    document.documentElement.dataset.ready = "yes";
  });
}

async function unpackVideos(packed) {
  await Promise.all(data.plans.map(async (plan, place) => {
    if (!packed[place]) return;
    const { stops, right, labels, answers } = packed[place];
    try {
      plan.videos = { stops: await unpacked(stops, Uint8Array), right: await unpacked(right, Uint8Array), labels: await unpacked(labels, Uint16Array), answers: await unpacked(answers, Uint16Array) };
      plan.lacks = undefined;
    } catch {
      plan.lacks = "because this browser can't unpack it";
    }
  }));
}
start();
