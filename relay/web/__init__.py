"""The dashboard: pages made on the server, live by events, without a build step and with nothing from elsewhere."""
