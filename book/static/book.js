/* Runs on every page, before the theme's own scripts. */

// The theme turns icons into SVG by replacing the element; a Play button that
// loses its icon so breaks, and any slider linked to it. Nest the SVG inside.
window.FontAwesomeConfig = { autoReplaceSvg: "nest" };

/** Set an attribute only if it changes, so that our own edits call no observer. */
function describe(element, name, value) {
  if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Tell a screen reader what the eye reads: a widget's label, value and state. */
function describeWidgets() {
  for (const slider of document.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label");
    const readout = slider.querySelector(".widget-readout");
    for (const handle of slider.querySelectorAll(".noUi-handle")) {
      describe(handle, "aria-label", label && label.textContent.trim());
      describe(handle, "aria-valuetext", readout && readout.textContent.trim());
    }
  }
  for (const play of document.querySelectorAll(".widget-play")) {
    const names = ["Play or pause", "Stop", "Repeat"];
    play.querySelectorAll("button").forEach((button, i) => {
      describe(button, "aria-label", names[i]);
    });
  }
  for (const button of document.querySelectorAll(".widget-toggle-button")) {
    describe(button, "aria-pressed", String(button.classList.contains("mod-active")));
  }
}

document.addEventListener("DOMContentLoaded", () => {
  // Widgets ask MathJax to typeset their labels, in the words of its version 2.
  const { MathJax } = window;
  if (MathJax && MathJax.startup) {
    const typeset = ([, , element]) =>
      MathJax.startup.promise.then(() => MathJax.typesetPromise([element]));
    MathJax.Hub = { Queue: typeset };
  }

  // Widgets appear after the page, and again whenever a Stack shows another child.
  const changes = { childList: true, subtree: true, attributeFilter: ["class"] };
  for (const output of document.querySelectorAll(".cell_output")) {
    new MutationObserver(describeWidgets).observe(output, changes);
  }
});
