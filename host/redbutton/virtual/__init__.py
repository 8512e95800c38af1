"""The virtual board: the real firmware in the real MicroPython interpreter, wired to a plant.

`board` runs it, `cable` is what a host plugs in, `shim` stands in for the chip's modules.
"""
