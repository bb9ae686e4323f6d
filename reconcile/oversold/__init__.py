"""Order lines that were accepted and are not there: a case each, with its cause, cost and response."""
