"""Networks that expose their layers; how they start; how much they compute."""
