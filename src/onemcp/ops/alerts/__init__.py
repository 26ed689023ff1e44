"""Alerts: what is raised, kept, and sent to webhooks."""
