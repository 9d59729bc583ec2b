"""Active and lazy re-initialization of any network."""
