"""What the user describes: hardware, models, formats, layouts, engines, workloads, and where they are found."""
