"""Speed and memory, a file a stage. Figures depend on the machine: printed with their budget, not tested."""
