"""Users' own runs: the outputs of benchmark tools, recognized by their content, beside bound and projection."""

from llmperf.evidence.runs.comparison import ComparedMetric, MeasuredRun, compare
from llmperf.evidence.runs.reading import read
from llmperf.evidence.runs.run import Measured, OfferedLoad, Run

__all__ = ["ComparedMetric", "Measured", "MeasuredRun", "OfferedLoad", "Run", "compare", "read"]
