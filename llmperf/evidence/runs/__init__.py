"""Users' own runs: the outputs of benchmark tools, recognized by their content, beside bound and projection."""

from llmperf.evidence.runs.comparison import Comparison, Row, compare
from llmperf.evidence.runs.reading import read
from llmperf.evidence.runs.run import Load, Measured, Run

__all__ = ["Comparison", "Load", "Measured", "Row", "Run", "compare", "read"]
