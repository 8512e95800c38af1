"""`redbutton mcp`: what a language model may ask, over the Model Context Protocol.

It reads the state, requests stops and has plans and motions judged. Nothing here moves, resets,
approves or configures; the process holds no key and never opens the port.
"""
