"""A wholesale trading partner: sends orders into a mailbox and judges what comes back."""
