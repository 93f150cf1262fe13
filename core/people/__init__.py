"""People (人员): staff of an organisation, their roles, and how they sign in."""
