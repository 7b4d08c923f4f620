#!/usr/bin/env python3
"""Makes the vectors of money, ids, entries, keys and prices from the pages in spec/, with Python's standard library alone.

A second implementation, written against the pages and sharing no line with packages/: where the two agree, the pages
say enough. Run it in this folder; it writes the files beside it. call.json, whose figures come from RFC 9421 and from
captured calls, is kept by hand.
"""
import hashlib
import json
import struct
from fractions import Fraction

UNIT = 1_000_000


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def write(name: str, document: dict) -> None:
    with open(f"{name}.json", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
        file.write("\n")


# money.md

def show(micros: int) -> str:
    sign, size = ("\u2212" if micros < 0 else ""), abs(micros)
    if size == 0 or size >= 10_000:
        return f"{sign}{size // UNIT:,}.{size % UNIT // 10_000:02d}"
    digits = str(size)
    kept = (digits[:2] + "0" * (len(digits) - 2)).rjust(6, "0").rstrip("0")
    return f"{sign}0.{kept}"


def exact(micros: int) -> str:
    sign, size = ("\u2212" if micros < 0 else ""), abs(micros)
    decimals = f"{size % UNIT:06d}"
    return f"{sign}{size // UNIT:,}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def rate_all(price: tuple, usages: list) -> list:
    """Each interval's charge is what the whole so far costs, rounded down, less what was charged before."""
    charges, used, charged = [], 0, 0
    for usage in usages:
        used += usage
        owed = int(Fraction(price[0], price[1]) * used)
        charges.append(owed - charged)
        charged = owed
    return charges


def allocate(amount: int, shares: dict) -> dict:
    exact_parts = {name: Fraction(amount * ppm, UNIT) for name, ppm in shares.items()}
    paid = {name: int(part) for name, part in exact_parts.items()}
    order = sorted(shares, key=lambda name: (paid[name] - exact_parts[name], name))
    for name in order[: amount - sum(paid.values())]:
        paid[name] += 1
    return paid


def split(amount: int, reserve: int, target: int) -> dict:
    commons = amount * 5 // 100
    rest = amount - commons
    kept = min(rest // 2, max(target - reserve, 0))
    return {"commons": str(commons), "reserve": str(kept), "purse": str(rest - kept)}


def money() -> dict:
    written = {"0": 0, "5": 5 * UNIT, "5.0": 5 * UNIT, "5.00": 5 * UNIT, "0.000001": 1, "007.5": 7_500_000,
               "9000000000": 9_000_000_000 * UNIT, "1234567.891011": 1_234_567_891_011}
    refused = ["", " 5", "5 ", "-5", "+5", "5.", ".5", "5,00", "1e3", "0x5", "5.0000001", "٥", "9000000000.000001",
               "99999999999", "Infinity", "5\n"]
    amounts = [0, 1, 12, 999, 4200, 4583, 9999, 10_000, 54_583, 1_310_000, 5 * UNIT, 1_234_567_891_011, -26_720_000, -4583]
    prices = [("20000000", "2592000000000000"), ("150000", "2592000000000000000"), ("1", "3"), ("7", "1"), ("0", "5")]
    usages = [[1, 1, 1], [3_600_000_000_000], [1_800_000_000_000, 1, 1_799_999_999_999], [0, 0, 10**18, 5, 10**17]]
    splits = [({"upstream": 950_000, "fork": 50_000}, 9_000_001), ({"a": 333_333, "b": 333_333, "c": 333_334}, 100),
              ({"b": 500_000, "a": 500_000}, 1), ({"all": 1_000_000}, 7), ({"none": 0, "all": 1_000_000}, 3)]
    return {
        "parse": [{"text": text, "micros": str(micros)} for text, micros in written.items()],
        "refuse": refused,
        "format": [{"micros": str(m), "short": show(m), "exact": exact(m)} for m in amounts],
        "rate": [{"price": {"micros": p[0], "per": p[1]}, "usage": [str(u) for u in us],
                  "charges": [str(c) for c in rate_all((int(p[0]), int(p[1])), us)]} for p in prices for us in usages],
        "allocate": [{"amount": str(amount), "ppm": {n: str(s) for n, s in shares.items()},
                      "paid": {n: str(p) for n, p in allocate(amount, shares).items()}} for shares, amount in splits],
        "payment": [{"amount": str(a), "reserve": str(r), "reserveTarget": str(t), "parts": split(a, r, t)}
                    for a, r, t in [(10 * UNIT, 0, 0), (10 * UNIT, 0, 2_700_000), (10 * UNIT, 0, 2**40), (1, 0, 100),
                                    (3, 0, 100), (99, 0, 10), (5 * UNIT, 3_000_000, 2_700_000), (100_000, 40_000, 50_000)]],
    }


# ids.md

def uuid(raw: bytes, version: int) -> str:
    raw = bytearray(raw[:16])
    raw[6] = raw[6] & 0x0F | version << 4
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


def derive(parts: list) -> str:
    framed = b"".join(struct.pack(">I", len(p.encode())) + p.encode() for p in parts)
    return uuid(sha256(framed), 8)


def ids() -> dict:
    lists = [[], [""], ["", ""], ["ab", "c"], ["a", "bc"], ["abc"], ["contribution", "01938f5e-7a00-7000-8000-000000000000", "commons"],
             ["été", "🌱"], ["x" * 300]]
    times = [(0, bytes(10)), (1_790_000_000_123, bytes(range(10))), (2**48 - 1, b"\xff" * 10)]
    return {
        "derive": [{"parts": parts, "id": derive(parts)} for parts in lists],
        "new": [{"nowMs": ms, "random": rnd.hex(), "id": uuid(struct.pack(">Q", ms)[2:] + rnd, 7)} for ms, rnd in times],
    }


# entry-and-leaf.md

FIELDS = ["seq", "id", "kind", "code", "asset", "at", "debit", "credit", "amount", "ref", "expires", "debitBalance",
          "debitHeld", "creditBalance", "debitVersion", "creditVersion", "salt"]
KINDS = ["transfer", "hold", "post", "void", "expire"]


def entry_bytes(e: dict) -> bytes:
    raw_id = bytes.fromhex(e["id"].replace("-", ""))
    numbers = [int(e[name]) for name in FIELDS[5:16]]
    return struct.pack(">q16shhh11q16s", int(e["seq"]), raw_id, KINDS.index(e["kind"]), e["code"], e["asset"], *numbers,
                       bytes.fromhex(e["salt"]))


def leaf_data(e: dict, visible: dict) -> bytes:
    commitment = sha256(entry_bytes(e))
    if e["kind"] in ("transfer", "post") and (visible["debit"] or visible["credit"]):
        return b"\2" + struct.pack(">qhhhqqqqq", int(e["seq"]), KINDS.index(e["kind"]), e["code"], e["asset"], int(e["at"]),
                                   int(e["debit"]) if visible["debit"] else 0, int(e["credit"]) if visible["credit"] else 0,
                                   int(e["amount"]), int(e["ref"])) + commitment
    return b"\1" + struct.pack(">q", int(e["seq"])) + commitment


def entry(n: int, kind: str, code: int, **more) -> dict:
    base = dict(seq=str(n), id=derive(["vector", str(n)]), kind=kind, code=code, asset=1, at=str(1_790_000_000_000_000 + n),
                debit="1", credit="2", amount="9500000", ref="0", expires="0", debitBalance="-9500000", debitHeld="0",
                creditBalance="9500000", debitVersion="1", creditVersion="1", salt=bytes(range(n, n + 16)).hex())
    return {**base, **more}


def entries() -> dict:
    big = str(9_000_000_000_000_000)
    cases = [
        ("a contribution from a rail into a public purse", entry(1, "transfer", 3), True, True),
        ("the same, paid from a private account", entry(1, "transfer", 3), False, True),
        ("from a public account to a private one", entry(2, "transfer", 3, debit="7", credit="8"), True, False),
        ("between two people: a commitment only", entry(3, "transfer", 3, debit="8", credit="9"), False, False),
        ("a hold is a commitment, whatever its accounts", entry(4, "hold", 10, expires="1790003600", debitHeld="9500000"), True, True),
        ("a post of that hold is public", entry(5, "post", 11, ref="4", amount="54583"), True, True),
        ("a void is a commitment", entry(6, "void", 10, ref="4"), True, True),
        ("an expiry is a commitment", entry(7, "expire", 10, ref="4"), True, False),
        ("the largest figures", entry(8, "transfer", 32767, asset=32767, seq=str(2**62), debit=str(2**63 - 1), credit=str(2**62),
                                      amount=big, debitBalance="-" + big, creditBalance=big, debitVersion=big, creditVersion=big), True, True),
    ]
    records = [
        ("a price book", 9, 4, 1_790_000_000_000_009, sha256(b"price book").hex()),
        ("the genesis", 1, 1, 0, "00" * 32),
    ]
    shown = []
    for name, e, debit, credit in cases:
        data = leaf_data(e, {"debit": debit, "credit": credit})
        shown.append({"name": name, "entry": e, "visible": {"debit": debit, "credit": credit}, "bytes": entry_bytes(e).hex(),
                      "leafData": data.hex(), "leaf": sha256(b"\0" + data).hex()})
    listed = []
    for name, seq, topic, at, document in records:
        data = b"\3" + struct.pack(">qhq", seq, topic, at) + bytes.fromhex(document)
        listed.append({"name": name, "record": {"seq": str(seq), "topic": topic, "at": str(at), "hash": document},
                       "leafData": data.hex(), "leaf": sha256(b"\0" + data).hex()})
    return {"entries": shown, "records": listed}


# keys: call.md

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def keys() -> dict:
    # Public keys of RFC 8032 §7.1, tests 1 to 3, and of RFC 9421 B.1.4, with their secret seeds.
    known = [
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
        ("9f8362f87a484a954e6e740c5b4c0e84229139a20aa8ab56ff66586f6a7d29c5", "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb"),
    ]
    return {
        "keys": [{"seed": seed, "publicKey": public, "did": "did:key:z" + base58(b"\xed\x01" + bytes.fromhex(public))} for seed, public in known],
        "base58": [{"bytes": data.hex(), "text": base58(data)} for data in [b"", b"\0", b"\0\0\1", b"\xff" * 8, bytes(range(34))]],
        "refuse": ["", "did:key:", "did:key:z", "did:web:example.com", "did:key:z6Mk", "did:key:Z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH",
                   "did:key:z" + base58(b"\xed\x01" + bytes(32)), "did:key:z" + base58(b"\xed\x01\x01" + bytes(31)),
                   "did:key:z" + base58(b"\xed\x01" + bytes.fromhex("ec" + "ff" * 30 + "7f")),
                   "did:key:z" + base58(b"\xed\x01" + bytes.fromhex("ec" + "ff" * 30 + "ff")),
                   "did:key:z" + base58(b"\x80\x24" + bytes.fromhex(known[0][1])), "did:key:z" + base58(b"\xed\x01" + bytes.fromhex(known[0][1])[:31]),
                   "did:key:z1" + base58(b"\xed\x01" + bytes.fromhex(known[0][1])), "did:key:z" + "z" * 5000],
    }


# price-book.md

def prices() -> dict:
    core, gb, month = 2_592_000_000_000_000, 1_000_000_000, 2_592_000_000
    book = {"cpu": (20 * UNIT, core), "memory": (10 * UNIT, gb * month), "disk": (150_000, gb * month), "egress": (50_000, gb),
            "requests": (100_000, UNIT), "build": (40 * UNIT, core)}
    text = json.dumps({"format": "perennial-price-book/1", "asset": "TEST",
                       "prices": {m: {"micros": str(p), "per": str(q)} for m, (p, q) in book.items()}}, indent=2) + "\n"
    limits = [dict(cpuPercent=100, memoryBytes=512_000_000, diskBytes=gb, egressBytesPerHour=gb, requestsPerHour=100_000),
              dict(cpuPercent=25, memoryBytes=268_435_456, diskBytes=0, egressBytesPerHour=0, requestsPerHour=1),
              dict(cpuPercent=0, memoryBytes=0, diskBytes=0, egressBytesPerHour=0, requestsPerHour=0)]

    def most(limit: dict) -> int:
        used = {"cpu": limit["cpuPercent"] * 36 * 10**9, "memory": limit["memoryBytes"] * 3_600_000,
                "disk": limit["diskBytes"] * 3_600_000, "egress": limit["egressBytesPerHour"], "requests": limit["requestsPerHour"]}
        return sum((u * book[m][0] + book[m][1] - 1) // book[m][1] for m, u in used.items() if u)

    return {"default": {"text": text, "sha256": sha256(text.encode()).hex()},
            "maxBurnPerHour": [{"limits": limit, "micros": str(most(limit))} for limit in limits]}


write("money", money())
write("ids", ids())
write("entry", entries())
write("keys", keys())
write("price-book", prices())
