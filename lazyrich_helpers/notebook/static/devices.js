// Many devices: how long a step computes and sends, and how fast all are together.

const TENS = (low, high) =>
  Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
const MILLISECONDS = axis("ms a step", [0.1, 1e5], TENS(-1, 5), true);
const SPEEDUP = axis("times one device", [0.1, 3000], TENS(-1, 3), true);

function short(value) {
  const places = value < 10 ? 1 : 0;
  return value.toLocaleString("en", { maximumFractionDigits: places });
}

/** Lines over the number of devices, full training's dashed; a mark at the chosen. */
function lines(size, title, yAxis, devices, place, [full, sparse], what) {
  const few = devices.filter((_, i) => i % 2 === 0 || devices.length < 5);
  const range = [devices[0], devices.at(-1)];
  const xAxis = axis("devices", range, few, true);
  const { picture, x, y, upright } = plot(...size, xAxis, yAxis);
  const through = (values) => line(values.map((v, i) => [x(devices[i]), y(v)]));
  picture.append(
    path(upright(devices[place]), "lr-mark", "2 4"),
    path(through(full), "lr-line", "5 4"),
    path(through(sparse), "lr-mark"),
  );
  const points = devices.map((num, i) => {
    const values = `full: ${short(full[i])}\nchosen ρ: ${short(sparse[i])}`;
    return { x: x(num), text: `${num} devices\n${values}` };
  });
  const alt = `${what} over devices, of full training and of top 1 all bottoms.`;
  return panel(title, picture, alt, points);
}

function draw({ data, state, size }) {
  const cell = (rho) => data.cells[[state.network, state.bandwidth, rho].join()];
  const [full, sparse] = [cell(data.full), cell(state.rho)];
  const totals = [full, sparse].map(({ computes, sends }) =>
    computes.map((value, i) => value + sends[i]),
  );
  const speedups = [full, sparse].map(({ speedup }) => speedup);
  const { devices } = data;
  const place = state.devices;
  const told = [full, sparse].map(({ sends }, i) => {
    const share = percent((100 * sends[place]) / totals[i][place]);
    return `${short(totals[i][place])} ms a step, ${share} of it sending`;
  });
  const label = data.controls.find(({ name }) => name === "rho").labels[state.rho];
  const words =
    `${devices[place]} devices (${full.layout}): full training: ${told[0]}; ` +
    `top 1 all bottoms at ρ = ${label}: ${told[1]}.`;
  const common = [devices, place];
  return {
    words,
    panels: [
      lines(size, "Time of a step (full training: dashed)", MILLISECONDS, ...common,
        totals, "Milliseconds of a step"),
      lines(size, "Images a second, over full training by one device", SPEEDUP,
        ...common, speedups, "Speed-up"),
    ],
  };
}

export default explorer(draw);
