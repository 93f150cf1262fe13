"""The assembled application: FastAPI app, command line, demo."""
