"""Rules and lags tried on past or made events: what would have been oversold, lost and left lying."""
