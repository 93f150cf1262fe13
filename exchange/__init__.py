"""The exchange: catalogue, publishing, access requests and grants, query and verification."""
