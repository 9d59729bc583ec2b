// Down a deep network: what a few units make of the samples, and the sample variance.

const DASHES = ["none", "7 3", "2 3", "9 3 2 3"]; // beside colour, in turn
const SHARE = axis("sample variance (%)", [0.5, 110], [1, 10, 100], true);

/** A line for each unit: how often its pre-activation is in each bin. */
function units(size, { counts, limit, colors }, title) {
  const all = counts.flat();
  const most = Math.max(...all);
  const values = axis("pre-activation / σ of the layer", [-limit, limit], [-2, 0, 2]);
  const frequency = axis("samples", [0, most], wholeMarks(most));
  const { picture, x, y } = plot(...size, values, frequency);
  counts.forEach((unit, i) => {
    const width = (2 * limit) / unit.length;
    const points = unit.map((count, bin) => [x(-limit + (bin + 0.5) * width), y(count)]);
    const curve = path(line(points), "lr-line", DASHES[i % DASHES.length]);
    picture.append(svg("g", hue(colors[i]), curve));
  });
  const alt = `Histograms of ${counts.length} units over the samples.`;
  return panel(title, picture, alt, []);
}

/** The sample variance over the layers, a line for each start, the chosen one thick. */
function shares(size, { layers, starts, theory }, start, stop) {
  const last = layers.at(-1);
  const depth = axis("layer", [0, last], wholeMarks(last));
  const { picture, x, y, upright } = plot(...size, depth, SHARE);
  picture.append(path(upright(layers[stop]), "lr-mark"));
  const expected = layers.map((layer, i) => [x(layer), y(theory[i])]);
  picture.append(path(line(expected), "lr-grid lr-line", "2 3"));
  const points = starts.flatMap(({ name, color, share }, i) => {
    const at = layers.map((layer, place) => [x(layer), y(share[place])]);
    const curve = path(line(at), "lr-line", DASHES[i]);
    const group = svg("g", hue(color), curve);
    if (i === start) {
      const [cx, cy] = at[stop];
      curve.setAttribute("style", "stroke-width:3.2");
      group.append(svg("circle", { cx, cy, r: 5, class: "lr-dot" }));
    }
    picture.append(group);
    return share.map((value, place) => {
      const text = `${name}, layer ${layers[place]}: ${percent(value)}`;
      return { x: at[place][0], y: at[place][1], text };
    });
  });
  const alt = "Sample variance as a share of the total over layers, a line per start.";
  const title = "Sample variance, of the total (dotted: He’s, in theory)";
  return panel(title, picture, alt, points);
}

function draw({ data, state, size }) {
  const { layers, starts, colors, limit } = data;
  const [start, stop] = [state.start ?? 0, state.stop ?? 0];
  const { name, share, counts } = starts[start];
  const histograms = { counts: counts[stop], limit, colors };
  const title = `${counts[stop].length} units of layer ${layers[stop]}`;
  const panels = [
    units(size, histograms, title),
    shares(size, data, start, stop),
  ];
  const words =
    `From ${name}, layer ${layers[stop]}: the sample variance is ` +
    `${percent(share[stop])} of the total.`;
  return { panels, words };
}

export default explorer(draw);
