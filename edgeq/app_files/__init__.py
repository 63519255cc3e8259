"""The files that export() writes for an application: where they go, and how they are written."""
