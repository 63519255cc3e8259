"""What is done to a device, and what is asked of it: sessions, plans and their steps, races, the service."""
