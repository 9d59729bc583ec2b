// What all explorers share: controls, axes, a tip under the pointer, words.
//
// Python puts this file before that of a view and hands both, as one module, to
// anywidget. `data` comes from Python; `state` is the position of each control;
// `live` holds what Python computed for a state, where a kernel answers.

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function html(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return build(element, attributes, children);
}

/** Attributes of what has a colour of its own: one on light ground, one on dark. */
function hue([light, dark]) {
  return { class: "lr-hue", style: `--light:${light};--dark:${dark}` };
}

function path(d, name, dashes = "none") {
  return svg("path", { d, class: name, "stroke-dasharray": dashes });
}

function percent(value) {
  return value == null ? "–" : `${value.toFixed(1)} %`;
}

function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}

// --- Controls: each an element, and a function that shows a position --------------

/** Ids and names must differ from those of every other explorer on the page. */
function unique() {
  return `lr-${Math.random().toString(36).slice(2)}`;
}

function slider({ label, labels }, choose) {
  const id = unique();
  const input = html("input", { id, type: "range", min: 0, max: labels.length - 1 });
  const readout = html("output", { for: id });
  input.addEventListener("input", () => choose(Number(input.value)));
  input.hidden = labels.length === 1; // nothing to choose, but something to say
  const show = (position) => {
    input.value = position;
    input.setAttribute("aria-valuetext", labels[position]);
    readout.textContent = labels[position];
  };
  const name = html("label", { for: id }, label);
  return { element: html("div", { class: "lr-slider" }, name, input, readout), show };
}

function choice({ label, labels }, choose) {
  const name = unique();
  const inputs = labels.map((_, position) => {
    const input = html("input", { type: "radio", name });
    input.addEventListener("change", () => choose(position));
    return input;
  });
  const buttons = inputs.map((input, i) => html("label", {}, input, labels[i]));
  const legend = html("legend", {}, label);
  const show = (position) => (inputs[position].checked = true);
  return { element: html("fieldset", {}, legend, ...buttons), show };
}

function check({ label }, choose) {
  const input = html("input", { type: "checkbox" });
  input.addEventListener("change", () => choose(Number(input.checked)));
  const show = (position) => (input.checked = Boolean(position));
  return { element: html("label", { class: "lr-check" }, input, label), show };
}

const CONTROLS = { slider, choice, check };

// --- Views ------------------------------------------------------------------------

/** A titled picture, what it shows in words, and texts of points under the pointer. */
function panel(title, picture, alt, points) {
  build(picture, { role: "img", "aria-label": alt }, []);
  const tip = html("div", { class: "lr-tip", "aria-hidden": "true" });
  const heading = html("p", { class: "lr-title" }, title);
  const style = `width:${picture.getAttribute("width")}px`;
  const element = html("div", { class: "lr-panel", style }, heading, picture, tip);
  tips(element, picture, tip, points);
  return element;
}

/** An axis from `low` to `high`, in the units of the values, with numbers at `marks`. */
function axis(label, [low, high], marks, log = false) {
  return { label, low, high, marks, log };
}

/** An SVG with two axes, and functions from values to pixels. */
function plot(width, height, xAxis, yAxis) {
  const [left, right, top, bottom] = [54, width - 14, 8, height - 40];
  const picture = svg("svg", { width, height });
  const x = scale(xAxis, left, right);
  const y = scale(yAxis, bottom, top);
  const add = (d, words, at) => {
    picture.append(path(d, "lr-grid"), svg("text", at, words));
  };
  for (const mark of xAxis.marks) {
    const at = { x: x(mark), y: bottom + 15, "text-anchor": "middle" };
    add(`M${x(mark)},${top}V${bottom}`, mark, at);
  }
  for (const mark of yAxis.marks) {
    const at = { x: left - 6, y: y(mark) + 4, "text-anchor": "end" };
    add(`M${left},${y(mark)}H${right}`, mark, at);
  }
  const below = { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" };
  const transform = `translate(12 ${(top + bottom) / 2}) rotate(-90)`;
  picture.append(
    svg("text", below, xAxis.label),
    svg("text", { transform, "text-anchor": "middle" }, yAxis.label),
  );
  const upright = (value) => `M${x(value)},${top}V${bottom}`; // a line at one x
  return { picture, x, y, upright, right, top, bottom };
}

/** A function from values to pixels; what lies outside the axis stands at its end. */
function scale({ low, high, log }, from, to) {
  const place = (value) => (log ? Math.log10(value) : value);
  return (value) => {
    const inside = Math.min(high, Math.max(low, value));
    const part = (place(inside) - place(low)) / (place(high) - place(low));
    return from + part * (to - from);
  };
}

/** Marks at whole numbers, six of them or fewer. */
function wholeMarks(high) {
  const step = [1, 2, 5, 10, 20, 50, 100].find((size) => high / size <= 6) ?? high;
  return Array.from({ length: Math.floor(high / step) }, (_, i) => (i + 1) * step);
}

/** A path through points [x, y] in pixels; it passes over what is not known. */
function line(points) {
  const known = points.filter(([, y]) => !Number.isNaN(y));
  return known.length ? `M${known.map((point) => point.join()).join("L")}` : "";
}

/** Show the text of the point nearest to the pointer; it may lack an x or a y. */
function tips(element, picture, tip, points) {
  const hide = () => (tip.style.display = "none");
  hide();
  picture.addEventListener("pointerleave", hide);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const far = (point) => Math.hypot((point.x ?? x) - x, (point.y ?? y) - y);
    const near = points.reduce((a, b) => (far(b) < far(a) ? b : a), points[0]);
    if (!near || far(near) > 24) return hide();
    tip.textContent = near.text;
    tip.style.display = "block";
    const top = box.top - element.getBoundingClientRect().top;
    const room = box.width - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min((near.x ?? x) + 10, room))}px`;
    tip.style.top = `${top + Math.max(0, y - tip.offsetHeight - 8)}px`;
  });
}

/** A table over its caption, a colour before each row; CSS may draw cells as bars. */
function table(caption, header, rows, colors) {
  const head = header.map((text) => html("th", { scope: "col" }, text));
  const body = rows.map(([first, ...rest], i) => {
    const swatch = html("span", hue(colors[i]), "●");
    const name = html("th", { scope: "row" }, swatch, ` ${first}`);
    const cell = (text) =>
      html("td", { style: `--part:${text.replace(" ", "")}` }, text);
    return html("tr", {}, name, ...rest.map(cell));
  });
  const parts = [
    html("caption", {}, caption),
    html("thead", {}, html("tr", {}, ...head)),
  ];
  return html("table", { class: "lr-values" }, ...parts, html("tbody", {}, ...body));
}

// --- The widget -------------------------------------------------------------------

/**
 * Return what anywidget renders. `draw` returns panels of `size`, and `words`: a
 * sentence or a table that says what is chosen.
 */
function explorer(draw) {
  function render({ model, el }) {
    const { controls } = model.get("data");
    const parts = controls.map((control) =>
      CONTROLS[control.kind](control, (position) => choose(control.name, position)),
    );
    const bar = html("div", { class: "lr-bar" }, ...parts.map((part) => part.element));
    const said = html("div", { class: "lr-said", role: "status" });
    const views = html("div", { class: "lr-views" });
    const root = html("div", { class: "lr-explorer" }, bar, said, views);

    function choose(name, position) {
      const state = { ...model.get("state"), [name]: position };
      const tie = controls.find(({ ties }) => ties);
      if (tie && state[tie.name]) {
        const leader = tie.ties.includes(name) ? name : tie.ties[0];
        for (const tied of tie.ties) state[tied] = state[leader];
      }
      model.set("state", state);
      model.save_changes();
    }

    let drawn = 0; // width that the views were drawn for
    function update() {
      const state = model.get("state");
      parts.forEach((part, i) => part.show(state[controls[i].name]));
      drawn = views.clientWidth;
      if (!drawn) return; // not in the page yet
      const [data, live] = [model.get("data"), model.get("live")];
      const wide = drawn >= 640 ? (drawn - 16) / 2 : drawn; // two beside each other
      const { panels, words } = draw({ data, state, live, size: [wide, 230], drawn });
      said.replaceChildren(words);
      views.replaceChildren(...panels);
    }

    const resized = new ResizeObserver(() => {
      if (views.clientWidth !== drawn) requestAnimationFrame(update);
    });
    resized.observe(views);
    model.on("change:state change:live", update);
    // JupyterLab would take arrow keys for its own and move the focus away.
    root.addEventListener("keydown", (event) => event.stopPropagation());
    el.append(root);
    update();
    return () => {
      resized.disconnect();
      model.off("change:state change:live", update);
    };
  }
  return { render };
}
