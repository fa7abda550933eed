"""The workload W(N): N daily files of sales to features, to stats, to a model; by Headrace and by its peers.

All call the same functions (`features`, `summary`, `learning`) with the same readers and writers (`files`);
they differ in who decides what is to be done. A benchmark copies this package into a folder, and edits it
there.
"""
