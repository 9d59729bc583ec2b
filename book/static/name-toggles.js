// The theme's buttons that unfold a chapter's pages in the sidebar get their names.

document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll(".bd-links summary")) {
    const chapter = summary.closest("li").querySelector("a").textContent.trim();
    summary.setAttribute("aria-label", `Pages of ${chapter}`);
  }
});
