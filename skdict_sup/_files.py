"""Files: written whole or not at all, and the sizes of archives before they are unpacked."""

import os
import secrets
import zipfile


def write_atomically(target, write):
    """Write a temporary file and rename it, so that an incomplete file never appears.

    `write(path)` writes a file at a path in the folder of the target.
    """
    # the name is set before the file exists, so that an interrupt at any time removes it
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        write(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def unpacked_size(file, names=None):
    """Bytes of the members of an open zip archive (of those named, if any), by its directory.

    No more than the size in the directory is ever read from an archive.
    """
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    file.seek(0)
    return sum(entry.file_size for entry in entries if names is None or entry.filename in names)
