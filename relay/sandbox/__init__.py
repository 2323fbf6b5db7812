"""A local Beat API: the whole contract, real MP4s, faults on demand.

It shares nothing with the relay but the contract's structs: what tests the relay must not agree with it by being it.
"""
