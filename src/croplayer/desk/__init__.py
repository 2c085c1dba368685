"""The review desk: a local web page on which people interpret blocks."""
