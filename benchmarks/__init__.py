"""What the project promises in seconds, measured as whole processes. `make bench` runs them."""
