"""The agent as a systemd service: its unit files, the steps that install and remove it, what it says and measures."""
