"""The simulated gateway: a real HTTP server that answers as the API document says and delivers real MP4s.

Start here: `server.start(Options(...))` gives a running gateway on a free loopback port.
It shares nothing with the client but the error classes; needs the extra `simulator` (aiohttp, PyAV).
Importing this package loads neither.
"""
