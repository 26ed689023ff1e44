"""What outlives a connection or the process: a store of entries, and logs of events; one contract over each engine."""
