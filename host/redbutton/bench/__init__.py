"""The fault-injection bench: what can go wrong, when, and what the load does then."""
