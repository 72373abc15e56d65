"""Channels: items handed from task to task in order, with an end."""

from hugo.channels.channel import Channel, bounded_channel, make_channel
from hugo.channels.closed import ChannelClosed
from hugo.channels.prioritized import PrioritizedChannel, PrioritizedWriter
from hugo.channels.reader import ChannelReader
from hugo.channels.writer import ChannelWriter, FullMode, Slot

__all__ = [
    "Channel",
    "ChannelClosed",
    "ChannelReader",
    "ChannelWriter",
    "FullMode",
    "PrioritizedChannel",
    "PrioritizedWriter",
    "Slot",
    "bounded_channel",
    "make_channel",
]
