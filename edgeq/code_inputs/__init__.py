"""What code of the user's depends on when it runs: sources, data files, folders, environment variables."""
