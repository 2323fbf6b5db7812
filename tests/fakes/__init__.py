"""Stand-ins for services that nobody can run at home. Each is driven by its vendor's own client in a test."""
