// Step sizes: the training loss over epochs at one, and how often it rises at all.

const LOSS = axis("training loss", [1e-4, 10], [1e-4, 1e-3, 0.01, 0.1, 1, 10], true);
const SHARE = axis("epochs with a rise (%)", [0, 60], [0, 20, 40, 60]);

/** A line for each seed; a dot wherever the loss is above the epoch's before. */
function losses(size, cell, colors) {
  const last = cell.losses[0].length - 1;
  const steps = axis("epoch", [0, last], wholeMarks(last));
  const { picture, x, y } = plot(...size, steps, LOSS);
  const points = [];
  cell.losses.forEach((curve, seed) => {
    const at = curve.map((loss, epoch) => [x(epoch), loss === null ? NaN : y(loss)]);
    const group = svg("g", hue(colors[seed]), path(line(at), "lr-line"));
    curve.forEach((loss, epoch) => {
      if (loss === null) return;
      const [cx, cy] = at[epoch];
      const rose = epoch > 0 && loss > curve[epoch - 1];
      if (rose) group.append(svg("circle", { cx, cy, r: 2.5, class: "lr-dot" }));
      const text = `seed ${seed}, epoch ${epoch}: loss ${loss}${rose ? ", a rise" : ""}`;
      points.push({ x: cx, y: cy, text });
    });
    picture.append(group);
  });
  const alt = `Training loss over ${last} epochs of ${colors.length} networks.`;
  return panel("Training loss; a dot where it rises", picture, alt, points);
}

/** The share of epochs with a rise over all step sizes; the chosen one marked. */
function shares(size, lrs, cells, stop) {
  const decades = [0.001, 0.01, 0.1, 1, 10];
  const ends = [lrs[0], lrs.at(-1)];
  const marks = decades.filter((mark) => mark >= ends[0] && mark <= ends[1]);
  const { picture, x, y, upright } = plot(
    ...size,
    axis("step size η", ends, marks, true),
    SHARE,
  );
  const at = cells.map((cell, i) => [x(lrs[i]), y(100 * cell.rises)]);
  picture.append(path(line(at), "lr-line"), path(upright(lrs[stop]), "lr-mark"));
  const [cx, cy] = at[stop];
  picture.append(svg("circle", { cx, cy, r: 7, class: "lr-mark" }));
  const points = cells.map((cell, i) => {
    const text = `η = ${Number(lrs[i].toPrecision(3))}: ${percent(100 * cell.rises)}`;
    return { x: at[i][0], y: at[i][1], text };
  });
  const alt = "Share of epochs in which the training loss rises, over step sizes.";
  return panel("How often it rises, by step size", picture, alt, points);
}

function draw({ data, state, size }) {
  const [stop, batch] = [state.stop ?? 0, state.batch ?? 0];
  const row = data.lrs.map((_, i) => data.cells[`${batch},${i}`]);
  const panels = [
    losses(size, row[stop], data.colors),
    shares(size, data.lrs, row, stop),
  ];
  return { panels, words: row[stop].words };
}

export default explorer(draw);
