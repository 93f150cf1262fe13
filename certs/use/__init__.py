"""Using certificates (用证): finding and fetching those of a holder, for an open case (GB/T 36906-2018)."""
