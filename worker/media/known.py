"""Files that were read, kept for the next request that brings them: a conversation sends its images
again with every turn."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict

from .clip import MediaFile


class Known:
    """Files by their digests. From any thread.

    Those whose embeddings are computed are kept up to a number of bytes, least recently used out
    first. Others are found for as long as somebody else holds them: they have pixels or samples
    that nobody counts.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._files: OrderedDict[bytes, MediaFile] = OrderedDict()
        self._held: weakref.WeakValueDictionary[bytes, MediaFile] = weakref.WeakValueDictionary()
        # Always the sum of the files' sizes.
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def get(self, digest: bytes) -> MediaFile | None:
        """The file, if it is still there; counts as its use."""
        with self._lock:
            found = self._files.get(digest)
            if found is not None:
                self._files.move_to_end(digest)
                return found
            return self._held.get(digest)

    def hold(self, digest: bytes, file: MediaFile) -> MediaFile:
        """The file that was read, or the one that another thread has read meanwhile."""
        with self._lock:
            return self._held.setdefault(digest, file)

    def put(self, digest: bytes, file: MediaFile) -> None:
        """Keep a file that is encoded, if it is not larger than all there is room for."""
        assert file.is_encoded, "what is not encoded has pixels that nobody counts"
        with self._lock:
            if digest in self._files or file.size > self._capacity:
                return
            self._files[digest] = file
            self._bytes += file.size
            while self._bytes > self._capacity:
                _, oldest = self._files.popitem(last=False)
                self._bytes -= oldest.size
