"""Amazon's Selling Partner API: what the seller ships is shown and read back, orders and notifications become facts."""
