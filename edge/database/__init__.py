"""
Inside the store: the SQLite file, its rows, and what is done when a disk fails.

From the bottom up:

* ``sums``, ``packing``: values, their CRC-32, and ECG counts as few bytes;
* ``rows``, ``signals``: each record as a row, and back;
* ``schema``, ``tables``, ``totals``: the tables, their versions, the one row of counts;
* ``connections``, ``reading``: how the file is opened, and asked;
* ``batch``, ``marks``, ``writing``, ``prune``: one transaction, and what leaves in it;
* ``folder``, ``ballast``, ``soundness``, ``salvage``: the lock, room for a full disk,
  damaged files;
* ``writer``, ``lasting``, ``steady``: the one writing connection, the file it writes,
  and how commits ride out faults.

`edge.store` and `edge.history` are what the rest of the program uses.
"""
