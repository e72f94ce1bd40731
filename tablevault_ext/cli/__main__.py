"""``python -m tablevault_ext.cli`` is `tablevault`."""

from . import main

main()
