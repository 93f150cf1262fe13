"""Reading sources for a case: under the grants and authorisations of whoever asks, within a time limit."""
