"""What every router needs: who calls, for what purpose, and bodies read within limits."""
