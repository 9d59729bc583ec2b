// Pictures that Python shaded, such as a heat map for each layer, to scale.

// The theme gives other pictures paper, round corners and, in the dark, other colours.
const PIXELS = { class: "frame", style: "border-radius:0;padding:0" };

function picture({ source, width, height, label, alt }, scale) {
  const size = { width: Math.round(scale * width), height: Math.round(scale * height) };
  const image = html("img", { ...PIXELS, src: source, alt, title: alt, ...size });
  return html("div", { class: "lr-picture" }, image, html("span", {}, label));
}

function draw({ data, state, drawn }) {
  const frame = data.frames[[state.row ?? 0, state.stop ?? 0].join()];
  const { image, low, high } = data.scale;
  const ramp = html("img", { ...PIXELS, src: image, alt: "", width: 160, height: 12 });
  const legend = html("p", { class: "lr-legend lr-scale" }, low, ramp, high);
  const all = sum(frame.images.map((each) => each.width));
  const isRow = all < 700; // beside each other, else below each other
  const needed = isRow ? all + 8 * frame.images.length : frame.images[0].width;
  const scale = Math.min(1, drawn / needed);
  const pictures = frame.images.map((each) => picture(each, scale));
  const row = html("div", { class: "lr-row" }, ...pictures);
  return { panels: [row, legend], words: frame.words };
}

export default explorer(draw);
