"""
Makes the project's int8 MoveNet out of the published weights.

Runs in an environment of its own, made by ``scripts/build-model``: it needs
TensorFlow, which nothing else here does.
"""
