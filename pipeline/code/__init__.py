"""What code is: the identity of all that a task's class can reach, computed from source."""
