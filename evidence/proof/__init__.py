"""Proof to the applicant: what was not requested and why; and what was asked for all the same."""
