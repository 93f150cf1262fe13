"""Numbers and code lists that every department uses: GB 11643, GB 32100, GB 11714, GB/T 2260."""
