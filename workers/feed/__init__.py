"""The feed: what other systems are given of the house, as files, and told of it, as signed calls."""
