"""Which blocks to label next, and everything a person needs to label them."""
