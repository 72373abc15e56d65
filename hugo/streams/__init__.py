"""Streams: results that arrive one by one."""

from hugo.streams.channels import merge_streams, partition_stream, read_all, to_channel
from hugo.streams.consume import collect, for_each, tap_each
from hugo.streams.transform import filter_stream, flat_map_stream, map_stream, window_stream

__all__ = [
    "collect",
    "filter_stream",
    "flat_map_stream",
    "for_each",
    "map_stream",
    "merge_streams",
    "partition_stream",
    "read_all",
    "tap_each",
    "to_channel",
    "window_stream",
]
