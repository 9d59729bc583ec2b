// What is wider than its frame says so, and can be scrolled from the keyboard.

{
  const FRAMES = `.bd-article :is(figure, .cell_output, .cell_output .output,
    .pst-scrollable-table-container, p:has(mjx-container), mjx-container)`;

  /** Mark a frame by whether a part of what it holds is hidden beside it. */
  function mark(frame) {
    const { overflowX } = getComputedStyle(frame);
    const scrolls = overflowX === "auto" || overflowX === "scroll";
    const wide = scrolls && frame.scrollWidth > frame.clientWidth + 1;
    if (wide === frame.classList.contains("wide")) return;
    frame.classList.toggle("wide", wide);
    if (wide) {
      frame.tabIndex = 0;
    } else {
      frame.removeAttribute("tabindex");
    }
  }

  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise; // formulas stand
    const seen = new ResizeObserver((entries) =>
      requestAnimationFrame(() => entries.forEach(({ target }) => mark(target))),
    );
    document.querySelectorAll(FRAMES).forEach((frame) => seen.observe(frame));
  });
}
