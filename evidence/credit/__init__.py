"""The credit dataset of commitments (信用承诺): its rows, and what the hub publishes into it by itself."""
