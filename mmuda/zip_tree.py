"""The contents of zip archives as one tree, whose files are read without unpacking the archives."""

import errno
import io
import os
import os.path as osp
import struct
import zipfile
import zlib
from typing import NamedTuple

MAX_BYTES = 1 << 31
"""Largest unpacked size of a file. Larger ones are refused, because a few bytes can unpack to any size."""

_LOCAL_HEADER = struct.Struct('<4s22xHH')  # signature, lengths of the name and of the extra field after it
_ENCRYPTED = 0x1
_MAC_COPIES = '__MACOSX/'


class Member(NamedTuple):
    """Entry of a file in the central directory of an archive.

    Attributes:
        archive: The open archive.
        offset: Position of the local header in the archive.
        packed: Number of packed bytes.
        size: Number of unpacked bytes.
        crc: CRC-32 of the unpacked bytes.
        method: Compression method, such as ``zipfile.ZIP_DEFLATED``.
        flags: General purpose bits of the zip format.
    """

    archive: io.BufferedReader
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int


class ZipTree:
    """The contents of one archive, or of all archives of a folder, as one tree.

    The central directories are read once. Files are read with ``os.pread``, which does not move the position of the
    open archive, so that threads and forked processes can share it without locks.

    Args:
        root: An archive, or a folder with archives.

    Raises:
        OSError: If an archive is damaged.
    """

    def __init__(self, root: str) -> None:
        self.root, self.stamps = root, stamps_at(root)
        self.members: dict[str, Member] = {}
        self.different: dict[str, str] = {}
        for path in archives_at(root):
            self._add(path)
        self.folders = {''}
        for name in self.members:
            folder = osp.dirname(name)
            while folder not in self.folders:
                self.folders.add(folder)
                folder = osp.dirname(folder)

    def _add(self, path: str) -> None:
        archive = open(path, 'rb')  # noqa: SIM115 - files are read from it until the process ends
        try:
            infos = zipfile.ZipFile(archive).infolist()
        except (zipfile.BadZipFile, NotImplementedError) as error:
            archive.close()
            raise OSError(f'{path} is not a complete zip archive ({error}): download it again') from error
        for info in infos:
            if info.is_dir() or info.filename.startswith(_MAC_COPIES):
                continue
            member = Member(
                archive,
                info.header_offset,
                info.compress_size,
                info.file_size,
                info.CRC,
                info.compress_type,
                info.flag_bits,
            )
            kept = self.members.setdefault(info.filename, member)
            if (kept.crc, kept.size) != (member.crc, member.size):
                self.different[info.filename] = f'{kept.archive.name} and {path}'

    def read(self, name: str, count: int | None = None) -> bytes:
        """Return the content of a file, or its first bytes. The checksum is verified only if all bytes are read.

        Args:
            name: Path inside of the archives.
            count: Number of bytes; None reads all.

        Raises:
            FileNotFoundError: If there is no such file.
            OSError: If the file is damaged, encrypted, larger than :data:`MAX_BYTES` or neither stored nor packed by
                deflate, or if two archives have different files of this name.
        """
        member = self.members.get(name)
        where = f'{name} in {member.archive.name if member else self.root}'
        if member is None:
            raise FileNotFoundError(errno.ENOENT, f'no such file in the archives of {self.root}', name)
        if name in self.different:
            raise OSError(f'{self.different[name]} have different files {name}: name the archive in the path')
        if member.flags & _ENCRYPTED or member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise OSError(f'{where} is encrypted or not packed by deflate: pack the archive again')
        if member.size > MAX_BYTES:
            raise OSError(f'{where} unpacks to {member.size:,} bytes, more than {MAX_BYTES:,}')
        data = self._unpack(member, where, count)
        if count is None and (len(data) != member.size or zlib.crc32(data) != member.crc):
            raise OSError(f'{where} is damaged, its checksum differs: download the archive again')
        return data

    def _unpack(self, member: Member, where: str, count: int | None) -> bytes:
        descriptor = member.archive.fileno()
        head = os.pread(descriptor, _LOCAL_HEADER.size, member.offset)
        if len(head) < _LOCAL_HEADER.size or not head.startswith(b'PK\3\4'):
            raise OSError(f'{where} is damaged: download the archive again')
        _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
        start = member.offset + _LOCAL_HEADER.size + name_length + extra_length
        stored = member.method == zipfile.ZIP_STORED
        # Deflate enlarges data only slightly, so `count` bytes never need many more packed bytes.
        wanted = member.packed if count is None else min(member.packed, count if stored else count + 1024)
        packed = os.pread(descriptor, wanted, start)
        if stored:
            return packed
        try:
            # Limit the output to one byte more than the expected size: it shows a wrong size and bounds the memory.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1 if count is None else count)
        except zlib.error as error:
            raise OSError(f'{where} is damaged ({error}): download the archive again') from error


def archives_at(root: str) -> list[str]:
    """Return the path itself if it is a file, else the archives in the folder, sorted by name."""
    if osp.isfile(root):
        return [root]
    try:
        return sorted(entry.path for entry in os.scandir(root) if entry.name.lower().endswith('.zip'))
    except OSError:
        return []


def stamps_at(root: str) -> list[tuple[str, int, int]]:
    """Return path, size in bytes and modification time in ns of each archive that :func:`archives_at` finds."""
    statuses = ((path, os.stat(path)) for path in archives_at(root))
    return [(path, status.st_size, status.st_mtime_ns) for path, status in statuses]
