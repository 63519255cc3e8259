"""Measurements kept on the host, whole and raw, before anybody summarises them.

Knows files and tables; what a measurement says is for edgeq/report. `edgeq.store.open.open_store` is the way in.
"""
