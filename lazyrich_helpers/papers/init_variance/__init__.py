"""Luther & Seung (2019): which variance a start preserves."""
