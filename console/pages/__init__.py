"""The dashboard: pages made on the server, for operators who watch it all day."""
