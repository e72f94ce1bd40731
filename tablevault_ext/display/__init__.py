"""What both faces show: the same tables in a terminal, in a pipe and in a notebook. Imports rich only to render."""

from .table import Table, Text, details_table

__all__ = ["Table", "Text", "details_table"]
