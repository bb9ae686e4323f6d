"""`python -m console` is the `lockstep` command."""

from console.cli import main

main()
