"""
A drawn patient, heart and body: pure functions of time with the truth known.

For laptops and tests. Nobody's data went into it.
"""
