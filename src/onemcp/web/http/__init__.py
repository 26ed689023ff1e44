"""An HTTP/1.1 server for small messages and long event streams, on httptools and the loop's transports.

It exists because the call path is counted in microseconds: between a request's last byte and its handler there is one
task and nothing else. A request reaches its handler whole (MCP messages are read whole anyway), a response is written
without waiting. It bounds everything that a client can grow: headers, bodies, time, pipelined requests, unread output.
"""
