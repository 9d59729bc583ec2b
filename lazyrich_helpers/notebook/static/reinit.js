// Re-initialization: both curves, how far weights moved, and where the reset ones lie.

const BINS_PER_DECADE = 4;
const DASHES = ["none", "7 3", "2 3", "9 3 2 3", "4 4", "1 2"]; // beside colour

const POWERS = [0.001, 0.01, 0.1, 1, 10, 100];
const ACCURACY = axis("test accuracy (%)", [0, 100], [0, 25, 50, 75, 100]);
const WEIGHTS = axis("weights of the layer (%)", [POWERS[0], 100], POWERS, true);
const MOVED = axis("movement |θᵀ − θ⁰|", [1e-5, 100], POWERS, true);
const SHARES = [10 ** -3.9, 100]; // γ or ε in percent; 0 stands at the left end

// --- Where the most active weights lie --------------------------------------------

/** How many weights of a layer moved by at least 10^edge. */
function movedBeyond(layer, edge) {
  const place = (edge - layer.low) * BINS_PER_DECADE; // in bins from the first
  const inside = layer.bins.map(
    (share, i) => share * Math.min(1, Math.max(0, i + 1 - place)),
  );
  return layer.size * sum(inside);
}

/**
 * The movement (log10) beyond which the `share` most active weights lie, and how many
 * of them each layer holds. Weights that did not move follow in the layers' order.
 */
function cut(layers, share) {
  const wanted = share * sum(layers.map(({ size }) => size));
  let [low, high] = [-12, 6];
  for (let i = 0; i < 50; i++) {
    const edge = (low + high) / 2;
    if (sum(layers.map((layer) => movedBeyond(layer, edge))) > wanted) low = edge;
    else high = edge;
  }
  const moved = layers.map((layer) => movedBeyond(layer, high));
  let left = wanted - sum(moved);
  const counts = layers.map(({ size }, i) => {
    const unmoved = Math.max(0, Math.min(left, size - moved[i]));
    left -= unmoved;
    return moved[i] + unmoved;
  });
  return { edge: high, counts };
}

// --- Panels -----------------------------------------------------------------------

/** Accuracy over the share, a line for each width, the chosen share marked. */
function curves(size, data, lines, symbol, title, chosen) {
  const shares = axis(`${symbol} (%)`, SHARES, [0, ...POWERS], true);
  const { picture, x, y, upright } = plot(...size, shares, ACCURACY);
  const known = data.widths.filter(({ label }) => lines[label]);
  const now = 100 * chosen.share;
  picture.append(path(upright(now), "lr-mark"));
  for (const { label, color, rank } of known) {
    const d = line(
      lines[label].map((value, i) => [x(100 * data.fractions[i]), y(value)]),
    );
    const value = chosen.accuracies[label];
    const dot = { cx: x(now), cy: y(value), r: value == null ? 0 : 5, class: "lr-dot" };
    const curve = path(d, "lr-line", DASHES[rank]);
    picture.append(svg("g", hue(color), curve, svg("circle", dot)));
  }
  const points = data.fractions.map((fraction, i) => {
    const share = Number((100 * fraction).toPrecision(2));
    const values = known.map(
      ({ label }) => `\nw = ${label}: ${percent(lines[label][i])}`,
    );
    return { x: x(share), text: `${symbol} = ${share} %${values.join("")}` };
  });
  const alt = `Test accuracy over ${symbol}, a line per width.`;
  return panel(title, picture, alt, points);
}

/** How far weights moved, a line for each layer; what γ resets is shaded. */
function movement(size, layers, colors, gamma, epsilon, width) {
  const places = layers.map(({ low, bins }) =>
    bins.map((share, i) => [10 ** (low + (i + 0.5) / BINS_PER_DECADE), 100 * share]),
  );
  const { picture, x, y, upright, right, top, bottom } = plot(...size, MOVED, WEIGHTS);
  const [from, dashed] = [gamma, epsilon].map(({ edge }) => 10 ** edge);
  const shade = `M${x(from)},${top}H${right}V${bottom}H${x(from)}z`;
  picture.append(path(shade, "lr-shade"), path(upright(from), "lr-mark"));
  picture.append(path(upright(dashed), "lr-mark", "4 4"));
  const points = places.flatMap((own, i) => {
    const seen = own.filter(
      ([place, share]) => place >= MOVED.low && share >= WEIGHTS.low,
    );
    const d = line(seen.map(([place, share]) => [x(place), y(share)]));
    const curve = path(d, "lr-line", DASHES[i % DASHES.length]);
    picture.append(svg("g", hue(colors[i]), curve));
    return seen.map(([place, share]) => {
      const values = [share, place].map((value) => Number(value.toPrecision(1)));
      const text = `layer ${i + 1}: ${values.join(" % near ")}`;
      return { x: x(place), y: y(share), text };
    });
  });
  const alt = `Histogram of how far the weights of each layer moved, width ${width}.`;
  const title = `How far weights moved (w = ${width})`;
  return panel(title, picture, alt, points);
}

/** Of all weights, of those that γ resets and that ε keeps: how many in each layer. */
function strips(size, layers, colors, gamma, epsilon, width) {
  const all = layers.map((layer) => layer.size);
  const columns = { all, "reset at γ": gamma.counts, "kept at ε": epsilon.counts };
  const header = Object.entries(columns).map(([name, counts]) => {
    return `${name}: ${Math.round(sum(counts)).toLocaleString("en")}`;
  });
  const rows = layers.map((_, i) => {
    const shares = Object.values(columns).map((own) => own[i] / Math.max(sum(own), 1));
    return [`layer ${i + 1}`, ...shares.map((share) => percent(100 * share))];
  });
  const title = html(
    "p",
    { class: "lr-title" },
    `In which layers they lie (w = ${width})`,
  );
  const values = table("", ["layer", ...header], rows, colors);
  return html(
    "div",
    { class: "lr-strips", style: `width:${size[0]}px` },
    title,
    values,
  );
}

// --- All of it --------------------------------------------------------------------

/** The chosen share, with what Python just computed at it, else what is recorded. */
function chosenShare(symbol, data, state, live, lines) {
  const share = data.stops[state[symbol]];
  const { labels } = data.controls.find(({ name }) => name === symbol);
  const decides = ["γ", "ε", ...data.choices];
  const isCurrent = decides.every((name) => live.state?.[name] === state[name]);
  const place = data.fractions.indexOf(share);
  const known = Object.entries(lines).map(([width, values]) => [width, values[place]]);
  const accuracies = isCurrent ? live[symbol] : Object.fromEntries(known);
  const note = isCurrent ? live.note : "";
  return { share, label: labels[state[symbol]], accuracies, note };
}

function draw({ data, state, live, size }) {
  const setting = data.settings[data.choices.map((name) => state[name]).join()];
  if (!setting) return { panels: [], words: "Not recorded at these settings." };
  const gamma = chosenShare("γ", data, state, live, setting.γ);
  const epsilon = chosenShare("ε", data, state, live, setting.ε);
  const known = data.widths.filter(({ label }) => setting.γ[label]);
  const rows = known.map(({ label }) => {
    const both = [gamma, epsilon].map(({ accuracies }) => percent(accuracies[label]));
    return [`w = ${label}`, ...both];
  });
  const caption = `Test accuracy (${gamma.note || setting.note})`;
  const header = ["width", `γ = ${gamma.label} reset`, `ε = ${epsilon.label} kept`];
  const words = table(
    caption,
    header,
    rows,
    known.map(({ color }) => color),
  );
  const panels = [
    curves(size, data, setting.γ, "γ", "γ: the most active are reset", gamma),
    curves(size, data, setting.ε, "ε", "ε: only the most active are kept", epsilon),
  ];
  const { label } = data.widths[state.width];
  const layers = setting.moves[label];
  if (layers) {
    const cuts = [cut(layers, gamma.share), cut(layers, epsilon.share)];
    panels.push(movement(size, layers, setting.layerColors, ...cuts, label));
    panels.push(strips(size, layers, setting.layerColors, ...cuts, label));
  }
  return { panels, words };
}

export { cut };
export default explorer(draw);
