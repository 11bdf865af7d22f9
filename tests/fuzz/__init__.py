"""Cases drawn by Hypothesis: whatever comes in, what goes out is a result or a
documented error."""
