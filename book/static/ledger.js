// The ledger's filter: words, section, free text. Without this file all rows show.

/** Show the rows of a ledger that its form asks for, and say how many they are. */
function filterLedger(form, rows) {
  const asked = new FormData(form);
  const words = asked.getAll("word");
  const terms = asked.get("text").toLowerCase().split(/\s+/);
  let count = 0;
  for (const row of rows) {
    const { words: own, section } = row.dataset;
    const text = row.textContent.toLowerCase();
    const shown =
      own.split("|").some((word) => words.includes(word)) &&
      ["", section].includes(asked.get("section")) &&
      terms.every((term) => text.includes(term));
    row.hidden = !shown;
    count += shown;
  }
  form.querySelector("output").textContent = `${count} of ${rows.length} rows`;
}

document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll(".ledger-filter")) {
    const rows = form.parentElement.querySelectorAll("tbody tr");
    const apply = () => filterLedger(form, rows);
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply(); // a browser may remember what was asked before
  }
});
