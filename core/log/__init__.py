"""The transparency log: who did what to which data, and proof that nothing was altered or left out."""
