"""One network over many devices: halos, the wire, a paper model, a study."""
