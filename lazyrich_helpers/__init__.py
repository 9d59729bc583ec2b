"""Models, re-initialization and training behind the book's chapters.

The way of the data: recipe → config → data → model → plan → train → measure → record →
table → figure → page. Each module is one station of it.
"""
