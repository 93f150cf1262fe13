"""Ready schemas in the national forms, their code lists, and invented sample data for them."""
