// Units of a two-layer net in the plane, and its losses, over time.

const LOSS = axis("loss", [1e-5, 1], [1e-5, 1e-4, 0.001, 0.01, 0.1, 1], true);

/** Each unit's path until now, and where it stands; the teacher's units dotted. */
function plane([width], scale, data, time) {
  const { reach, units } = scale;
  const ends = [-reach, 0, reach];
  const [across, up] = ["|b| a₁", "|b| a₂"].map((name) =>
    axis(name, [-reach, reach], ends),
  );
  const { picture, x, y } = plot(width, width - 20, across, up); // a square inside
  const hueOf = (positive) => hue(data.colors[Number(positive)]);
  for (const [right, above, sign] of data.teacher) {
    const far = 0.98 * reach;
    const d = line([
      [x(0), y(0)],
      [x(far * right), y(far * above)],
    ]);
    picture.append(svg("g", hueOf(sign > 0), path(d, "lr-line", "2 4")));
  }
  const points = units.map((unit, i) => {
    const places = unit.x.slice(0, time + 1).map((at, t) => [x(at), y(unit.y[t])]);
    const [cx, cy] = places.at(-1);
    const dot = unit.up
      ? svg("circle", { cx, cy, r: 5, class: "lr-dot" })
      : svg("path", { d: `M${cx},${cy - 6}l6,11h-12z`, class: "lr-dot" });
    picture.append(svg("g", hueOf(unit.up), path(line(places), "lr-line"), dot));
    const at = `(${unit.x[time]}, ${unit.y[time]})`;
    const text = `unit ${i + 1}: ${at}\nreadout weight ${unit.up ? "> 0" : "< 0"}`;
    return { x: cx, y: cy, text };
  });
  const alt = `${units.length} units in the plane, with their paths from the start.`;
  return panel("Units: ● b > 0, ▲ b < 0", picture, alt, points);
}

/** Training and test loss over time, the chosen time marked. */
function losses(size, scale, steps, time) {
  const first = 0.5; // where step 0 stands on a logarithmic axis
  const at = steps.map((step) => Math.max(step, first));
  const marks = [1, 10, 100, 1000, 10000].filter((step) => step <= at.at(-1));
  const { picture, x, y, upright } = plot(
    ...size,
    axis("steps", [first, at.at(-1)], marks, true),
    LOSS,
  );
  const through = (values) => line(values.map((value, i) => [x(at[i]), y(value)]));
  picture.append(
    path(through(scale.train), "lr-line", "5 4"),
    path(through(scale.test), "lr-line"),
    path(upright(at[time]), "lr-mark"),
  );
  const points = steps.map((step, i) => {
    const text = `step ${step}\ntraining loss ${scale.train[i]}\ntest loss ${scale.test[i]}`;
    return { x: x(at[i]), text };
  });
  const alt = "Training and test loss over steps, on logarithmic axes.";
  return panel("Test loss (training: dashed)", picture, alt, points);
}

function draw({ data, state, size }) {
  const [scale, step] = [data.scales[state.tau], data.steps[state.time]];
  const panels = [
    plane(size, scale, data, state.time),
    losses([size[0], size[0] - 20], scale, data.steps, state.time),
  ];
  const [train, test] = [scale.train[state.time], scale.test[state.time]];
  const tau = data.controls[0].labels[state.tau];
  const now = `τ = ${tau}, step ${step}: training loss ${train}, test loss ${test}.`;
  const words = `${now} Dotted: the teacher’s directions.`;
  return { panels, words };
}

export default explorer(draw);
