// Schedules: the layers that each epoch updates, and what that costs and reaches.

const ERROR = axis("test error (%)", [0.5, 100], [0.5, 1, 2, 5, 10, 20, 50, 100], true);
const LETTER_A = "a".charCodeAt(0);
const COST = axis(
  "backward FLOPs / full training's",
  [0, 1.03],
  [0, 0.25, 0.5, 0.75, 1],
);

/** A row per layer, the first below; a box for each run of epochs that updates it. */
function raster(size, cell) {
  const plans = [...cell.epochs].map((letter) => letter.charCodeAt(0) - LETTER_A);
  const epochs = plans.map((place) => cell.plans[place]);
  const numLayers = epochs[0].length;
  const steps = (label, number) => axis(label, [0.5, number + 0.5], wholeMarks(number));
  const rows = steps("layer", numLayers);
  const { picture, x, y } = plot(...size, steps("epoch", epochs.length), rows);
  const points = [...epochs[0]].map((_, i) => {
    const updated = epochs.map((plan) => Number(plan[i]));
    const [top, bottom] = [y(i + 1.4), y(i + 0.6)];
    const boxes = updated.map((on, epoch) => {
      const [left, right] = [x(epoch + 0.5), x(epoch + 1.5)];
      return on ? `M${left},${top}H${right}V${bottom}H${left}z` : "";
    });
    picture.append(path(boxes.join(""), "lr-updated"));
    const text = `layer ${i + 1}: updated in ${sum(updated)} of ${epochs.length} epochs`;
    return { y: (top + bottom) / 2, text };
  });
  const alt = `Which of ${numLayers} layers each of ${epochs.length} epochs updates.`;
  return panel("Updated layers (1 is the lowest)", picture, alt, points);
}

/** Every schedule that was run; the chosen one marked, the paper's a diamond. */
function costs(size, schedules, cell) {
  const { picture, x, y, upright } = plot(...size, COST, ERROR);
  const points = schedules.map(({ name, cost, error, color }) => {
    const dot = { cx: x(cost), cy: y(error), r: 4, class: "lr-dot" };
    picture.append(svg("g", hue(color), svg("circle", dot)));
    const text = `${name}\ncost ${cost.toFixed(2)}, error ${percent(error)}`;
    return { x: x(cost), y: y(error), text };
  });
  picture.append(path(upright(cell.cost), "lr-mark"));
  if (cell.error != null) {
    const ring = { cx: x(cell.cost), cy: y(cell.error), r: 8, class: "lr-mark" };
    picture.append(svg("circle", ring));
  }
  if (cell.paper) {
    const [left, top] = [x(cell.paper.cost), y(cell.paper.error)];
    const d = `M${left},${top - 7}l7,7l-7,7l-7,-7z`;
    picture.append(path(d, "lr-mark"));
    const text = `the paper: error ${percent(cell.paper.error)}`;
    points.push({ x: left, y: top, text });
  }
  const title = `Error over cost${cell.paper ? "; ◇ the paper's" : ""}`;
  return panel(title, picture, "Test error over cost, a dot per schedule.", points);
}

/** Test error over epochs, beside full training's (dashed). */
function learning(size, epochs, curve, full) {
  const last = epochs.at(-1);
  const steps = axis("epoch", [0, last], wholeMarks(last));
  const { picture, x, y } = plot(...size, steps, ERROR);
  const through = (errors) => line(errors.map((error, i) => [x(epochs[i]), y(error)]));
  picture.append(
    path(through(full), "lr-line", "5 4"),
    path(through(curve), "lr-mark"),
  );
  const points = curve.map((error, i) => {
    return { x: x(epochs[i]), text: `epoch ${epochs[i]}: error ${percent(error)}` };
  });
  const alt = "Test error over epochs, of this schedule and of full training.";
  return panel("While it learns (full training: dashed)", picture, alt, points);
}

function draw({ data, state, live, size }) {
  const place = ["data", "row", "stop"].map((name) => state[name] ?? 0);
  const cell = live.cell ?? data.cells[place.join()];
  if (!cell) return { panels: [], words: "Not among the recorded schedules." };
  const { points, epochs, full } = data.networks[state.data ?? 0];
  const panels = [raster(size, cell), costs(size, points, cell)];
  if (cell.curve.length > 1) panels.push(learning(size, epochs, cell.curve, full));
  return { panels, words: cell.words };
}

export default explorer(draw);
