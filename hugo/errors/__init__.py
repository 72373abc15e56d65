"""Errors as values: what failed, under which code, why, and with which details."""

from hugo.errors.codes import ERROR_DESCRIPTORS, ErrorCode, ErrorDescriptor
from hugo.errors.error import Error, ResultError
from hugo.errors.json_values import RestoredCause

__all__ = ["ERROR_DESCRIPTORS", "Error", "ErrorCode", "ErrorDescriptor", "RestoredCause", "ResultError"]
