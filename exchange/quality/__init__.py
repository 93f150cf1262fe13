"""Quality (数据质量): the rules that a provider sets, and what its batches say over time."""
