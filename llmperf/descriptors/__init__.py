"""What may be said, and what is valid: hardware, models, formats, layouts, engines, workloads, scenarios."""
