"""``python -m llmperf``: the command line."""

from llmperf.interfaces.cli import main

main()
