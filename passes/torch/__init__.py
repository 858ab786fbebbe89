"""Reading the torch level, and building what its ops become."""
