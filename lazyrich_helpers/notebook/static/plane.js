// A plane of two knobs: one reading as colours, a place on it, all readings there.

/** A colour from dark blue to yellow, the same on light and dark ground. */
function shade(part) {
  const stops = [
    [0, 34, 78],
    [87, 93, 109],
    [188, 175, 111],
    [254, 232, 56],
  ];
  const at = Math.min(part, 0.999) * (stops.length - 1);
  const low = Math.floor(at);
  const mix = stops[low].map((c, i) => c + (at - low) * (stops[low + 1][i] - c));
  return `rgb(${mix.map(Math.round).join()})`;
}

/** Powers of ten as marks of an axis: short, and still read as numbers. */
function powers([from, to], step) {
  const found = [];
  for (let k = Math.ceil(Math.log10(from)); k <= Math.log10(to); k += step)
    found.push(`1e${k}`);
  return found;
}

function map(size, data, state) {
  const plane = data.planes[state.plane];
  const reading = data.readings[state.reading];
  const values = plane.values[state.reading];
  const known = values.flat().filter((value) => value != null);
  const place = (value) =>
    reading.log ? Math.log10(Math.max(value, reading.log)) : value;
  const [low, high] = [Math.min(...known.map(place)), Math.max(...known.map(place))];
  const { gammas, etas } = plane;
  const edge = (grid) => Math.sqrt(grid[1] / grid[0]);
  const around = (grid) => [grid[0] / edge(grid), grid.at(-1) * edge(grid)];
  const named = (label, grid, step) =>
    axis(label, around(grid), powers(around(grid), step), true);
  const { picture, x, y } = plot(
    ...size,
    named("feature-learning strength γ", gammas, 1),
    named("learning rate η", etas, 2),
  );
  const points = [];
  values.forEach((row, i) =>
    row.forEach((value, j) => {
      const [left, right] = [x(gammas[i] / edge(gammas)), x(gammas[i] * edge(gammas))];
      const [bottom, top] = [y(etas[j] / edge(etas)), y(etas[j] * edge(etas))];
      const box = {
        x: left,
        y: top,
        width: right - left + 0.5,
        height: bottom - top + 0.5,
      };
      const here = `γ = ${gammas[i].toPrecision(2)}, η = ${etas[j].toPrecision(2)}: `;
      const text = here + (value == null ? "diverged" : `${value}${reading.unit}`);
      points.push({ x: (left + right) / 2, y: (top + bottom) / 2, text });
      if (value == null) return;
      const part = high > low ? (place(value) - low) / (high - low) : 0;
      picture.append(svg("rect", { ...box, fill: shade(part) }));
    }),
  );
  const ring = { cx: x(gammas[state.gamma]), cy: y(etas[state.eta]), r: 7 };
  picture.append(
    svg("circle", { ...ring, fill: "none", stroke: "#fff", "stroke-width": 4 }),
  );
  picture.append(
    svg("circle", { ...ring, fill: "none", stroke: "#000", "stroke-width": 1.5 }),
  );
  const alt = `${reading.name} over γ and η; blue is low, yellow high, a gap has diverged.`;
  return panel(`${reading.name} (blue low, yellow high)`, picture, alt, points);
}

/** One reading over γ at the chosen η. */
function slice(size, data, state) {
  const plane = data.planes[state.plane];
  const reading = data.readings[state.reading];
  const row = plane.values[state.reading].map((column) => column[state.eta]);
  const known = row.filter((value) => value != null);
  const [low, high] = reading.range ?? [Math.min(0, ...known), Math.max(...known)];
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) =>
    Number((low + part * (high - low)).toPrecision(2)),
  );
  const xs = [plane.gammas[0], plane.gammas.at(-1)];
  const { picture, x, y, upright } = plot(
    ...size,
    axis("feature-learning strength γ", xs, powers(xs, 1), true),
    axis(reading.name, [low, high], marks),
  );
  const points = row.map((value, i) => [
    x(plane.gammas[i]),
    value == null ? NaN : y(value),
  ]);
  picture.append(
    path(line(points), "lr-line"),
    path(upright(plane.gammas[state.gamma]), "lr-mark"),
  );
  const tips = points.map(([left, top], i) => ({
    x: left,
    y: top,
    text: `${row[i] ?? "diverged"}${row[i] == null ? "" : reading.unit}`,
  }));
  return panel(
    "The same along γ, at the chosen η",
    picture,
    `${reading.name} over γ.`,
    tips,
  );
}

function draw({ data, state, size }) {
  const plane = data.planes[state.plane];
  const here = data.readings.map(({ name, unit }, i) => {
    const value = plane.values[i][state.gamma][state.eta];
    return `${name} ${value == null ? "–" : value + unit}`;
  });
  const text = `γ = ${plane.gammas[state.gamma].toPrecision(2)}, η = ${plane.etas[state.eta].toPrecision(2)}: ${here.join("; ")}.`;
  return {
    panels: [map(size, data, state), slice(size, data, state)],
    words: html("p", {}, text),
  };
}

export default explorer(draw);
