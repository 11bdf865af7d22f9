"""Property tests: every input gives a result or a documented error."""
