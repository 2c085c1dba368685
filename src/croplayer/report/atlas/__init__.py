"""The standalone report of a province: `results/<province>/report.html` and its tiles."""
