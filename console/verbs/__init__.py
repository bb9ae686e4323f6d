"""What can be done at any door, once: checked, written down, and carried out through a flow."""
