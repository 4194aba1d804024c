"""The HTTP service: the student behind a socket, a drop-in for the chat endpoint, metrics and a playground."""
