"""DuckDB: what everybody queries, made from the journals and always rebuildable from them.

Imported lazily by the faces: a kernel that only records never imports duckdb.
"""
