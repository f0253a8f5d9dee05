"""What a file is, told from its content; which kinds a browser may show in place.

The type that the sender declares is never looked at. A handful of formats is recognised by the signatures of the WHATWG
MIME Sniffing Standard (https://mimesniff.spec.whatwg.org/) and of the formats' own specifications; everything else is
`DOWNLOAD`, whatever it may be, and so is everything that a browser would run (docs/decisions/0004).
"""

from __future__ import annotations

HEAD = 4096  # bytes that `sniff` wants to see
DOWNLOAD = "application/octet-stream"
TEXT = "text/plain"  # always UTF-8
PDF = "application/pdf"

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
SOUNDS = frozenset({"audio/mpeg", "audio/ogg", "audio/wav", "audio/mp4"})
VIDEOS = frozenset({"video/mp4", "video/webm", "video/ogg"})
INLINE = PICTURES | SOUNDS | VIDEOS | {TEXT, PDF}
"""Shown in place. A browser's PDF viewer runs apart from the page and opens under the sandbox that every file is sent with."""

# Extensions by which systems decide to run a file or to interpret it as a page. Whatever the content, such a file is a download.
_PAGES = "html htm xhtml xht shtml mhtml mht svg svgz xml xsl xslt rss atom css"
_SCRIPTS = "js mjs cjs jsx ts tsx vbs vbe wsf hta php asp aspx jsp bat cmd ps1 sh command"
_PROGRAMS = "swf jar exe dll msi com scr lnk url desktop app apk"
ACTIVE_EXTENSIONS = frozenset(f"{_PAGES} {_SCRIPTS} {_PROGRAMS}".split())

PICTURE_PIXELS = 50_000_000  # what phones take at most; 200 MB when decoded, one at a time
PICTURE_SIDE = 20_000  # pixels; a longer one is a strip that no page can show

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
# ISO base media files by major brand (https://mp4ra.org/registered-types/brands)
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys(
        (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH", b"MSNV", b"dash"),
        "video/mp4",
    ),
}
# The first packet of an Ogg stream names its codec: RFC 5334, RFC 7845.
_OGG = (
    (b"OpusHead", "audio/ogg"),
    (b"\x01vorbis", "audio/ogg"),
    (b"\x7fFLAC", "audio/ogg"),
    (b"Speex   ", "audio/ogg"),
    (b"\x80theora", "video/ogg"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\x0c\r")


def sniff(head: bytes, name: str) -> str:
    """The content type by the first `HEAD` bytes, one of `INLINE` or `DOWNLOAD`.

    The (cleaned) name counts in one direction only: its extension can make a file a download.
    """
    if extension(name) in ACTIVE_EXTENSIONS:
        return DOWNLOAD
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return _container(head) or (TEXT if _is_plain_text(head) else DOWNLOAD)


def extension(name: str) -> str:
    """Lower case, without its dot; empty when there is none."""
    return name.rpartition(".")[2].lower().strip() if "." in name else ""


def shown_inline(content_type: str) -> bool:
    return content_type in INLINE


def is_showable_size(width: int, height: int) -> bool:
    """Whether a picture of so many pixels is one. Others unpack to more memory than anybody wants to give them."""
    return 0 < width <= PICTURE_SIDE and 0 < height <= PICTURE_SIDE and width * height <= PICTURE_PIXELS


def _container(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if head[:4] == b"OggS":
        return next((kind for mark, kind in _OGG if mark in head[28:64]), None)
    if head[:4] == b"\x1aE\xdf\xa3":  # EBML; the document type stands in its header
        return "video/webm" if b"\x42\x82\x84webm" in head[:64] else None
    return "audio/mpeg" if _is_mp3(head) else None


_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _is_mp3(head: bytes) -> bool:
    """Two MPEG audio layer III frames in a row (MIME Sniffing 6.2); one sync word alone is in many files."""
    first = _mp3_frame(head, 0)
    return first is not None and _mp3_frame(head, first) is not None


def _mp3_frame(head: bytes, at: int) -> int | None:
    """The length of the frame that begins here."""
    if len(head) < at + 4 or head[at] != 0xFF or head[at + 1] & 0xE6 != 0xE2:
        return None
    version, bitrate, rate = head[at + 1] >> 3 & 3, head[at + 2] >> 4, head[at + 2] >> 2 & 3
    if version == 1 or not 0 < bitrate < 15 or rate == 3:
        return None
    kbps = (_MPEG1_KBPS if version == 3 else _MPEG2_KBPS)[bitrate]
    samples = 144 if version == 3 else 72
    return samples * kbps * 1000 // _RATES[version][rate] + (head[at + 2] >> 1 & 1)


def _is_plain_text(head: bytes) -> bool:
    """UTF-8 without control characters that does not begin like markup."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] in (b"<", b"") or not _TEXT_CONTROLS.issuperset(b for b in text if b < 0x20 or b == 0x7F):
        return False
    try:
        text.decode()
    except UnicodeDecodeError as error:
        # A character cut in two by the end of what we look at is fine.
        return len(head) >= HEAD and error.start >= len(text) - 3 and error.reason == "unexpected end of data"
    return True
