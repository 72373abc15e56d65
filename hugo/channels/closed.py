"""The end of a channel, for those who did not expect it."""


class ChannelClosed(Exception):
    """The channel was completed: it takes no more items, or has none left to give."""
