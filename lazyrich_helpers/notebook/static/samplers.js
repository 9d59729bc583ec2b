// Samplers: what moves of each layer in each stretch of steps; accuracy over cost.

/** A row per layer, the first below; the darker, the more of its weights move. */
function masks(size, { updated, steps }) {
  const columns = updated.map((text) => text.split(" ").map(Number));
  const layers = columns[0].length;
  const step = steps / columns.length;
  const across = axis("step", [0, steps], wholeMarks(steps));
  const up = axis("layer", [0.5, layers + 0.5], wholeMarks(layers));
  const { picture, x, y } = plot(...size, across, up);
  const points = columns.flatMap((shares, i) =>
    shares.map((share, layer) => {
      const [left, right] = [x(i * step), x((i + 1) * step)];
      const [top, bottom] = [y(layer + 1.4), y(layer + 0.6)];
      const box = { x: left, y: top, width: right - left, height: bottom - top };
      const shade = { class: "lr-updated", "fill-opacity": share / 100 };
      picture.append(svg("rect", { ...box, ...shade }));
      const until = Math.round((i + 1) * step);
      const text = `layer ${layer + 1}, to step ${until}: ${share} % of the weights move`;
      return { x: (left + right) / 2, y: (top + bottom) / 2, text };
    }),
  );
  const alt = `How much of each of ${layers} layers moves in each stretch of steps.`;
  return panel("What moves (layer 1 is the lowest)", picture, alt, points);
}

/** Every sampler; the chosen one marked. */
function costs(size, cells, chosen) {
  const best = Math.max(...cells.map((cell) => cell.accuracy));
  const low = Math.max(0, 5 * Math.floor(best / 5) - 20);
  const marks = [0, 5, 10, 15, 20, 25].map((more) => low + more);
  const rates = axis("test accuracy (%)", [low, low + 25], marks);
  const most = Math.max(2.1, ...cells.map((cell) => cell.flops));
  const flops = axis("FLOPs / SGD's", [0, most], [0, 0.5, 1, 1.5, 2]);
  const { picture, x, y, upright } = plot(...size, flops, rates);
  const points = cells.map(({ label, flops: cost, accuracy }) => {
    const [cx, cy] = [x(cost), y(accuracy)];
    const dot = svg("circle", { cx, cy, r: 4, class: "lr-dot lr-updated" });
    picture.append(dot);
    return { x: cx, y: cy, text: `${label}\n${percent(accuracy)} at ${cost.toFixed(2)}` };
  });
  const at = { cx: x(chosen.flops), cy: y(chosen.accuracy), r: 8, class: "lr-mark" };
  picture.append(path(upright(chosen.flops), "lr-mark"), svg("circle", at));
  return panel("Accuracy over cost", picture, "A dot per sampler.", points);
}

function draw({ data, state, size }) {
  const cell = data.cells[[state.row, state.sampler].join()];
  const same = Object.values(data.cells).filter((c) => c.matched === cell.matched);
  return { panels: [masks(size, cell), costs(size, same, cell)], words: cell.words };
}

export default explorer(draw);
