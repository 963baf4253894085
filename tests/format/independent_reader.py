#!/usr/bin/env python3
"""Reads event files and checkpoint bundles with nothing but the standard library.

It shares no code with Assay: framing, CRC-32C, the protobuf wire format and the table of the
index are decoded here by hand. Usage:
  independent_reader.py events FILE     one line an event: step, then what it holds
  independent_reader.py bundle PREFIX   one line a tensor: name, dtype, shape, bytes in hex
"""
import struct
import sys

TABLE = []
for n in range(256):
    c = n
    for _ in range(8):
        c = (c >> 1) ^ (0x82F63B78 if c & 1 else 0)
    TABLE.append(c)


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 0xFF] ^ (c >> 8)
    return c ^ 0xFFFFFFFF


def masked(data):
    c = crc32c(data)
    return (((c >> 15) | (c << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        b = data[at]
        at += 1
        value |= (b & 0x7F) << shift
        shift += 7
        if b < 0x80:
            return value, at


def fields(data):
    """Yields (number, wire type, value) of a message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = data[at:at + 8], at + 8
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size
        elif wire == 5:
            value, at = data[at:at + 4], at + 4
        else:
            raise ValueError("wire type %d" % wire)
        yield number, wire, value


def doubles(packed):
    return list(struct.unpack("<%dd" % (len(packed) // 8), packed))


def events(path):
    data = open(path, "rb").read()
    at = 0
    while at < len(data):
        length, length_crc = struct.unpack_from("<QI", data, at)
        assert masked(data[at:at + 8]) == length_crc, "length checksum"
        record = data[at + 12:at + 12 + length]
        assert len(record) == length, "cut short"
        assert masked(record) == struct.unpack_from("<I", data, at + 12 + length)[0], "checksum"
        at += 16 + length
        step, what = 0, ""
        for number, _, value in fields(record):
            if number == 2:
                step = value
            elif number == 3:
                what = "version " + value.decode()
            elif number == 4:
                what = "graph %d" % sum(1 for f in fields(value) if f[0] == 1)
            elif number == 5:
                what = "summary"
                for _, _, v in fields(value):
                    tag, shown = "", ""
                    for n, _, x in fields(v):
                        if n == 1:
                            tag = x.decode()
                        elif n == 2:
                            shown = "%.9g" % struct.unpack("<f", x)[0]
                        elif n == 5:
                            h = {k: y for k, _, y in fields(x)}
                            shown = "histogram of %g, buckets %g" % (
                                struct.unpack("<d", h[3])[0], sum(doubles(h[7])))
                            assert len(h[6]) == len(h[7])
                    what += " %s=%s" % (tag, shown)
            elif number == 7:
                what = "session %d" % {n: v for n, _, v in fields(value)}.get(1, 0)
        print(step, what)


def block(data, offset, size):
    """The (key, value) pairs of a block; its last bytes count and place the restarts."""
    body = data[offset:offset + size]
    kind = data[offset + size]
    stored = struct.unpack_from("<I", data, offset + size + 1)[0]
    assert masked(body + bytes([kind])) == stored, "block checksum"
    assert kind == 0, "compressed"
    restarts = struct.unpack_from("<I", body, size - 4)[0]
    end = size - 4 - 4 * restarts
    at, key, pairs = 0, b"", []
    while at < end:
        shared, at = varint(body, at)
        unshared, at = varint(body, at)
        length, at = varint(body, at)
        key = key[:shared] + body[at:at + unshared]
        at += unshared
        pairs.append((key, body[at:at + length]))
        at += length
    assert at == end
    return pairs


def bundle(prefix):
    data = open(prefix + ".index", "rb").read()
    footer = data[-48:]
    assert footer[40:] == struct.pack("<Q", 0xDB4775248B80FB57), "magic"
    at = 0
    handle = []
    for _ in range(4):
        value, at = varint(footer, at)
        handle.append(value)
    pairs = []
    for _, value in block(data, handle[2], handle[3]):
        offset, p = varint(value, 0)
        size, p = varint(value, p)
        pairs += block(data, offset, size)
    assert [k for k, _ in pairs] == sorted(k for k, _ in pairs)
    assert pairs[0][0] == b""
    header = {n: v for n, _, v in fields(pairs[0][1])}
    assert header[1] == 1 and header.get(2, 0) == 0
    values = open(prefix + ".data-00000-of-00001", "rb").read()
    for key, value in pairs[1:]:
        entry = {n: v for n, _, v in fields(value)}
        dims = []
        for n, _, v in fields(entry.get(2, b"")):
            if n == 2:
                dims.append({k: x for k, _, x in fields(v)}.get(1, 0))
        offset, size = entry.get(4, 0), entry.get(5, 0)
        raw = values[offset:offset + size]
        assert len(raw) == size
        stored = struct.unpack("<I", entry[6])[0]
        if entry[1] == 7:
            lengths, at, count = [], 0, 1
            for d in dims:
                count *= d
            for _ in range(count):
                n, at = varint(raw, at)
                lengths.append(n)
            checked = b"".join(struct.pack("<I", n) for n in lengths)
            assert masked(checked) == struct.unpack_from("<I", raw, at)[0], "lengths checksum"
            assert masked(checked + raw[at:]) == stored, "checksum of " + key.decode()
            raw = raw[at + 4:]
            assert sum(lengths) == len(raw)
        else:
            assert masked(raw) == stored, "checksum of " + key.decode()
        print(key.decode(), entry[1], dims, raw.hex())


if __name__ == "__main__":
    {"events": events, "bundle": bundle}[sys.argv[1]](sys.argv[2])
