"""The command line: `tablevault`. One file a family of verbs; parse, call, show."""

from .main import main

__all__ = ["main"]
