"""What an artifact is known by on disk; nothing else, so that a folder of one can be written without loading the compiler."""

from __future__ import annotations

MANIFEST, SIGNATURE, REPORT, REPORT_RECORD = "manifest.json", "manifest.sig", "report.html", "report.json"
OWN_FILES = (MANIFEST, SIGNATURE, REPORT, REPORT_RECORD)
MANIFEST_LIMIT = 256 << 20  # bytes; a hundred thousand steps take a tenth of it
MARK = "edgeopt"  # what "artifact" says in a manifest of ours
FORMAT = 3
PACK_FORMAT = "pack 1"  # of a folder that holds several compiled models
