"""The ledger as a figure: how often each word was found."""

import pandas as pd
from matplotlib.axes import Axes

from lazyrich_helpers.analysis.claims.question import SECTIONS
from lazyrich_helpers.analysis.claims.verdicts import Word

STYLES = {
    Word.HOLDS: ("#1a7f37", "", "white"),
    Word.PARTLY: ("#7fb4d8", "//", "black"),
    Word.FAILS: ("#a4262c", "", "white"),
    Word.UNDECIDED: ("#f0c36d", "..", "black"),
    Word.NOT_RUN: ("#ffffff", "", "black"),
}
"""Word → colour and hatch of its bar, and the colour of what is written on it."""


def stacked_words(counts: pd.DataFrame, ax: Axes) -> None:
    """Draw `ledger.word_counts`: a bar per section, a numbered piece per word."""
    names = [f"{section}  {SECTIONS[section]}" for section in counts.index]
    left = pd.Series(0, counts.index)
    for word, (color, hatch, ink) in STYLES.items():
        own = counts[str(word)]
        look = {"color": color, "hatch": hatch, "edgecolor": "0.35", "linewidth": 0.6}
        bars = ax.barh(names, own, left=left, label=str(word), **look)
        labels = [str(n) if n else "" for n in own]
        box = {"facecolor": color, "edgecolor": "none", "pad": 0.8}
        texts = ax.bar_label(bars, labels, label_type="center", color=ink, fontsize=7)
        for text, label in zip(texts, labels, strict=True):
            if label and hatch:
                text.set_bbox(box)  # no hatch behind the number
        left += own
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
