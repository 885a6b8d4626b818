"""Figures: plain functions from results to a plotly figure and the table of its data, one file a kind of figure."""
