"""Random schedules of the real flows against the real simulators, on one clock, with everything failing that may."""
