"""Whole machines for tests: Debian roots, containers, a virtual machine."""
