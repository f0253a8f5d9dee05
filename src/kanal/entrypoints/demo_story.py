"""The demo workspace's people and what they talk about: a coffee roaster with shops in Bandung and Tokyo.

``PEOPLE``: key, name, e-mail, role, locale. ``ROOMS``: key, name, topic, visibility, members. ``TALK``: lines in the
order they were said: when, room, who, text, and what hangs on it. ``@key`` in a text is a mention.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone

WORKSPACE = "Kopi Nusantara"
ZONE = "Asia/Jakarta"
WIB = timezone(timedelta(hours=7))  # the same zone, which has no summer time, without the system's table of zones
PASSWORD = "kopi-nusantara"  # noqa: S105 - printed at start, for a demo on one's own machine


@dataclass(frozen=True)
class Person:
    key: str
    name: str
    email: str
    role: str
    locale: str


@dataclass(frozen=True)
class DemoRoom:
    key: str
    name: str
    topic: str
    visibility: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Before:
    """So many days before today, at an hour at which people in Bandung and Tokyo work. Before the evening: what was said
    minutes ago may be from yesterday, and comes after it."""

    days: int
    at: str


@dataclass(frozen=True)
class Line:
    """``when``: minutes ago, or an earlier day. ``label`` names a line so that a later one can answer (``reply_to``) or
    quote it."""

    when: int | Before
    room: str
    who: str
    text: str
    label: str = ""
    reply_to: str = ""
    quotes: str = ""
    picture: bool = False
    reactions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def said_at(self, now: datetime) -> datetime:
        if isinstance(self.when, int):
            return now - timedelta(minutes=self.when)
        day = now.astimezone(WIB).date() - timedelta(days=self.when.days)
        return datetime.combine(day, time.fromisoformat(self.when.at), WIB)


PEOPLE = (
    Person("sari", "Sari Wulandari", "sari@kopi.example", "owner", "id"),
    Person("budi", "Budi Santoso", "budi@kopi.example", "admin", "id"),
    Person("misaki", "田中 美咲", "misaki@kopi.example", "agent", "ja"),
    Person("james", "James Carter", "james@kopi.example", "agent", "en"),
    Person("dewi", "Dewi Lestari", "dewi@kopi.example", "agent", "id"),
    Person("andi", "Andi Pratama", "andi@kopi.example", "agent", "id"),
    Person("kenji", "佐藤 健司", "kenji@kopi.example", "viewer", "ja"),
)
EVERYONE = tuple(p.key for p in PEOPLE)
SHOWN = ("sari", "budi", "misaki", "james")  # printed at start and offered on the sign-in page

ROOMS = (
    DemoRoom("umum", "umum", "Kabar untuk semua · news for everyone · 全員へのお知らせ", "public", EVERYONE),
    DemoRoom(
        "care", "customer-care", "Answers, refunds, tricky cases", "public", ("sari", "budi", "james", "dewi", "misaki")
    ),
    DemoRoom("gudang", "gudang-bandung", "Stok, pengiriman, kurir", "public", ("sari", "budi", "andi", "dewi")),
    DemoRoom("tokyo", "東京チーム", "表参道店と卸のお客様について", "public", ("sari", "misaki", "kenji", "james")),
    DemoRoom("roast", "roast-lab", "Profiles, cupping notes, experiments", "public", ("sari", "andi", "misaki")),
    DemoRoom("kantor", "manajemen", "Hanya pengelola", "private", ("sari", "budi")),
)
DIRECT = (("sari", "budi"), ("sari", "misaki"), ("james", "misaki"), ("budi", "dewi"))

TALK = (
    Line(
        Before(3, "08:05"),
        "umum",
        "sari",
        "Selamat pagi semuanya! ☕ Mulai hari ini kita pindah ke **Kanal**. Grup lama ditutup hari Jumat.",
        label="move",
        reactions={"🎉": ("budi", "dewi", "andi", "james"), "❤️": ("misaki",)},
    ),
    Line(
        Before(3, "08:09"),
        "umum",
        "james",
        'Finally one place for everything. No more "which group was that in?" 😄',
        reactions={"😂": ("budi", "sari")},
    ),
    Line(
        Before(3, "08:14"),
        "umum",
        "misaki",
        "おはようございます。東京からもよろしくお願いします 🙇‍♀️",
        reactions={"👋": ("sari", "james", "kenji")},
    ),
    Line(
        Before(3, "08:40"),
        "umum",
        "budi",
        "Panduan singkat:\n\n- **Ctrl+K** untuk pindah ke mana saja\n- ketik `@` untuk menyebut seseorang\n- balas di *utas* supaya ruang tetap rapi",
        reactions={"👍": ("dewi", "andi")},
    ),
    Line(Before(3, "09:30"), "roast", "andi", "New washed lot from Gayo is in. First sample roast this afternoon."),
    Line(
        Before(3, "10:15"),
        "roast",
        "sari",
        "Excellent. Keep the drop temperature a little lower than last time, that one lost its florals.",
        reactions={"👌": ("andi",)},
    ),
    Line(
        Before(2, "13:20"),
        "roast",
        "andi",
        "Curve of batch 214. First crack at 8:40, dropped at 10:05.",
        label="curve",
        picture=True,
        reactions={"🔥": ("sari", "misaki")},
    ),
    Line(Before(2, "13:28"), "roast", "misaki", "Beautiful. とても良い香りが出そうですね。", reply_to="curve"),
    Line(Before(2, "13:35"), "roast", "sari", "Cupping tomorrow at 10. Please save 200 g.", reply_to="curve"),
    Line(Before(2, "13:38"), "roast", "andi", "Siap, sudah saya sisihkan.", reply_to="curve"),
    Line(
        Before(2, "14:40"),
        "gudang",
        "andi",
        "Stok *Toraja 1 kg* tinggal 34 kantong. @budi perlu pesan kemasan lagi?",
        label="stock",
    ),
    Line(
        Before(2, "14:52"),
        "gudang",
        "budi",
        "Sudah saya pesan 500, datang hari Kamis.",
        quotes="stock",
        reactions={"🙏": ("andi",)},
    ),
    Line(
        Before(2, "16:05"),
        "tokyo",
        "misaki",
        "表参道店の週末売上です：\n\n1. ドリップバッグ 128 個\n2. ガヨ 200 g 46 袋\n3. 水出し用 31 袋",
        reactions={"👏": ("sari", "kenji")},
    ),
    Line(Before(2, "16:17"), "tokyo", "kenji", "水出しは来月からもっと伸びそうですね。"),
    Line(Before(2, "16:35"), "tokyo", "sari", "Terima kasih 美咲さん！ Luar biasa 🎌"),
    Line(
        Before(1, "09:10"),
        "care",
        "dewi",
        "Ada pelanggan menerima biji, padahal pesan giling. Kirim ulang atau refund?",
        label="grind",
    ),
    Line(
        Before(1, "09:18"),
        "care",
        "james",
        "Send the ground one today and let her keep the beans. Cheaper than a bad review.",
        reply_to="grind",
    ),
    Line(Before(1, "09:21"), "care", "dewi", "Setuju, saya proses sekarang 👍", reply_to="grind"),
    Line(
        Before(1, "09:30"),
        "care",
        "sari",
        "Good call. Let's make that the rule: *wrong grind → resend, no questions*.",
        reply_to="grind",
    ),
    Line(
        Before(1, "11:00"),
        "care",
        "james",
        "Refund template, please reuse:\n\n```\nHi {name}, I'm sorry about order {number}.\nYour refund of {amount} is on its way.\n```",
        reactions={"💯": ("dewi",)},
    ),
    Line(
        Before(1, "13:05"),
        "gudang",
        "dewi",
        "Kurir sore ini jam 15.30, bukan 16.00. Tolong paket ekspor siap lebih awal ya.",
    ),
    Line(Before(1, "13:13"), "gudang", "andi", "Noted. 12 paket Tokyo, 3 paket Singapura."),
    Line(
        Before(1, "16:10"), "kantor", "budi", "Draf anggaran Q1 sudah saya unggah ke drive. Bagian logistik naik 6 %."
    ),
    Line(Before(1, "16:30"), "kantor", "sari", "Oke, kita bahas besok pagi sebelum rapat umum."),
    Line(
        190,
        "umum",
        "budi",
        "@all rapat bulanan jam **14.00 WIB** / **16:00 JST**. Tautan menyusul.",
        label="meeting",
        reactions={"👍": ("sari", "misaki", "andi"), "✅": ("james",)},
    ),
    Line(176, "umum", "james", "Could we keep it to 30 minutes? I have a customer call right after."),
    Line(174, "umum", "budi", "Bisa. Agenda cuma tiga.", quotes="meeting"),
    Line(120, "tokyo", "kenji", "次回の入荷は金曜日で合っていますか？"),
    Line(
        112,
        "tokyo",
        "misaki",
        "はい、金曜の午前中に届く予定です。@james 通関書類をお願いできますか？",
        reactions={"🙏": ("kenji",)},
    ),
    Line(96, "tokyo", "james", "On it, you'll have the papers by noon 📦"),
    Line(64, "care", "misaki", "海外のお客様から「送料無料はいくらから？」と聞かれました。Rp 500.000 でしたよね？"),
    Line(58, "care", "dewi", "Betul, Rp 500.000 untuk Jepang dan Singapura. Lihat https://kopi.example/ongkir"),
    Line(41, "gudang", "andi", "Paket ekspor sudah dijemput kurir ✅", reactions={"🚚": ("dewi", "budi")}),
    Line(
        22,
        "umum",
        "dewi",
        'Ulasan bintang lima lagi hari ini: *"Kopinya wangi sekali, adminnya ramah!"* 🥰',
        reactions={"❤️": ("sari", "budi", "james", "misaki"), "🥳": ("andi",)},
    ),
    Line(9, "umum", "misaki", "素敵です！今週で 50 件目ですね ✨"),
)

DIRECT_TALK = (
    Line(130, "sari+budi", "budi", "Bu, nanti setelah rapat ada waktu 10 menit? Soal kontrak kurir."),
    Line(126, "sari+budi", "sari", "Ada. Langsung saja ke ruangan saya."),
    Line(75, "sari+misaki", "misaki", "サリさん、来月の東京出張の日程はもう決まりましたか？"),
    Line(70, "sari+misaki", "sari", "10日から14日までです。楽しみにしています！", reactions={"🎉": ("misaki",)}),
    Line(
        34,
        "james+misaki",
        "james",
        "Papers for Friday's shipment are done. Anything else the customs office asked for?",
    ),
    Line(15, "budi+dewi", "dewi", "Pak, shift besok saya tukar dengan Andi ya. Sudah saling setuju."),
)
