"""Reports as files: HTML pages and Markdown."""
