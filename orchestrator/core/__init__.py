"""The pure core: the state of one run, and what each input does to it.

Nothing here does I/O, reads a clock or draws a random number: time, ids and random numbers are arguments.
The events it writes are Temporal's protobuf messages, because they are the wire and the storage format alike.
"""
