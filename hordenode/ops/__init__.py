"""What every part may use: clock, ids, events, supervision, logs. Knows nothing of hordes."""
