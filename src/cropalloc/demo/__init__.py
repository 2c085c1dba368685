"""The built-in case of the allocation: generated statistics, yields and prices of no real place."""
