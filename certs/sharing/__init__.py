"""The services of GB/T 36906-2018, in the envelope of deployed platforms, beside the native API."""
