"""A workload as operators: what one step of a model does on one device."""
