"""Going on without a fact: commitments, later delivery, questions to departments; and their verification."""
