"""What the commands print: a module for each, none of which decides anything itself."""
