/* Runs on pages with widgets, before require.js: everything loads from this book. */

(() => {
  const here = document.currentScript;
  const lib = new URL("lib/", here.src).href; // right from any folder, and for file://
  // Its module is called as its package is, and lies one folder deeper.
  window.require = { baseUrl: lib, paths: { anywidget: "anywidget/index" } };
  // Where the widget manager would look for a package that it does not carry.
  here.setAttribute("data-jupyter-widgets-cdn", lib);
})();
