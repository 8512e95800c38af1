"""The demonstration: `stage` sets up the whole chain, `attacks` is what software can try against
a stop, `story` tells it to a person."""
