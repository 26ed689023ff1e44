"""What the tests are played with: scripted upstreams, processes, peers."""
