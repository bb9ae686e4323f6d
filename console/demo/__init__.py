"""The demo: a whole house on this machine, two shops that are played, one scripted day, and the proof of it."""
