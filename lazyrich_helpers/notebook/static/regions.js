// A plane through three images: linear regions at a step of training, and accuracies.

const ACCURACY = axis("accuracy (%)", [0, 100], [0, 25, 50, 75, 100]);

/** The plane's picture, the images' places in it, and which colour is which class. */
function plane(width, frame, data) {
  const side = Math.min(width, 380);
  const picture = svg("svg", { width: side, height: side });
  const style = "image-rendering:pixelated";
  const size = { width: side, height: side };
  picture.append(svg("image", { href: frame.source, style, ...size }));
  data.places.forEach(([x, y], label) => {
    const at = { cx: side * x, cy: side * y, r: 9, class: "lr-place" };
    const text = { x: side * x, y: side * y + 4, "text-anchor": "middle" };
    picture.append(svg("circle", at), svg("text", { ...text, class: "lr-place" }, label));
  });
  const alt = `Plane through three images, coloured by class. ${frame.words}`;
  const shown = panel("A plane through three images", picture, alt, []);
  const classes = data.classes.map((color, label) => {
    const style = `background:${color};color:#fff;padding:0 0.45em`;
    return html("span", { style }, label);
  });
  shown.append(html("p", { class: "lr-legend" }, "class", ...classes));
  return shown;
}

/** Accuracies over steps, the chosen step marked; step 0 stands at the left end. */
function accuracies(size, { train, test }, { steps, color }, step) {
  const last = steps.at(-1);
  const marks = [10, 100, 1000, 10000].filter((mark) => mark <= last);
  const { picture, x, y, upright } = plot(
    ...size,
    axis("step", [10, last], marks, true),
    ACCURACY,
  );
  const through = (values) => line(values.map((value, i) => [x(steps[i]), y(value)]));
  picture.append(
    path(upright(step), "lr-mark"),
    svg("g", hue(color), path(through(train), "lr-line", "5 4")),
    svg("g", hue(color), path(through(test), "lr-line")),
  );
  const points = steps.map((at, i) => {
    const text = `step ${at}\ntraining ${percent(train[i])}\ntest ${percent(test[i])}`;
    return { x: x(at), text };
  });
  const alt = "Training accuracy and test accuracy over steps.";
  return panel("Test accuracy (training: dashed)", picture, alt, points);
}

function draw({ data, state, size }) {
  const frame = data.frames[[state.row, state.stop].join()];
  const step = data.steps[state.stop];
  const curve = data.curves[state.row];
  const panels = [plane(size[0], frame, data), accuracies(size, curve, data, step)];
  return { panels, words: frame.words };
}

export default explorer(draw);
