"""Stop, pause and resume: the target's checkpoints, and the requester's side."""
