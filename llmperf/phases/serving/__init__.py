"""Serving: requests that come and go, in steady state or as a batch that runs in parts, from the steps of an engine."""
