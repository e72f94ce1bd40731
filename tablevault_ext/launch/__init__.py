"""Launching and coordinating: commands, pools of workers, and what processes share.

Imports nothing here: every pool worker imports this package before it can work.
"""
